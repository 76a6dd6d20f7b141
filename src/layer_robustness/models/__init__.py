"""Networks as ordered sequences of named units."""
