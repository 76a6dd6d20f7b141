"""The paper's networks and others by name; which modules each of the paper's units is made of."""
