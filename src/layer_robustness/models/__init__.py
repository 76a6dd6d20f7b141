"""The paper's networks: plain modules, and which of them each unit is made of."""
