"""Prompts that are made by one command: read, priced together, made a few at a time, saved where the person wants."""
