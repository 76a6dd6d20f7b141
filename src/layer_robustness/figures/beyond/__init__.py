"""Figures of networks beyond the paper's, each drawn from their probe.csv."""
