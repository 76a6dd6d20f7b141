"""Files that are whole or absent, and that tell when they are damaged."""
