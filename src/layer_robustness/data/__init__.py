"""Data sets: where images come from, how they are prepared, augmented and batched."""
