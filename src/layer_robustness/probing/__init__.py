"""Units reset to other weights: what the final network then predicts, and how far they moved."""
