"""A page in which every cell of every heatmap can be looked up, ours beside the paper's."""
