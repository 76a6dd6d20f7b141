"""The paper's values and claims, and how ours compare with them."""
