"""Training by a recipe, its state, and the folder of checkpoints."""
