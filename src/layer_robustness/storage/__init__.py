"""Files that are whole or absent, and whose damage is noticed."""
