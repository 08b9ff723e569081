"""The sandbox's painter: prompt, seed and size in, a calm landscape out. Pure until `raster`, which alone needs Pillow."""
