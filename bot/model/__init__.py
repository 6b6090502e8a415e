"""Frozen values and their pure rules. Standard library only; no input, no output, no clock read."""
