"""The paper's tables: a registry of what they show, how it is computed, and how it is written."""

from layer_robustness.tables.registry import TABLES, Table

__all__ = ["TABLES", "Table"]
