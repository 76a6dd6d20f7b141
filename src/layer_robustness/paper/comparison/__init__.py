"""The paper's values beside ours: value by value, panel by panel, and as pictures."""
