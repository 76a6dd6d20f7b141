"""Training by the paper's recipe, its state, and the folder of checkpoints."""
