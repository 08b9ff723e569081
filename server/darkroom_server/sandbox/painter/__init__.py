"""The sandbox's painter: prompt, seed and size in, a landscape with the prompt's subjects out."""
