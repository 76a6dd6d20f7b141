"""The paper's question of any classifier: which of its parts can be put back without harm?"""
