"""The paper's tables: a registry of what they show, how it is computed, and how it is written."""
