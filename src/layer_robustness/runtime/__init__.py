"""Errors, signals, processes, devices, memory, precision and seeds."""
