"""The paper's figures: a registry of what they show, and a module for each kind of drawing."""
