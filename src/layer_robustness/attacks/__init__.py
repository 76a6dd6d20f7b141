"""Attacks, and the classifier that swaps residual blocks at random (Section 6 of the paper)."""
