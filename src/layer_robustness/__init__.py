"""Which layers of a trained network matter? Re-initialization and re-randomization of single units.

Reference implementation of "Are All Layers Created Equal?" (Zhang, Bengio, Singer; JMLR 2022).
"""
