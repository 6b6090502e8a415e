"""Frozen values and their pure rules; no input, no output, no clock read.

A value is a `msgspec.Struct`: made, copied with a change and read from JSON in C, where a frozen dataclass cost a sixth
of a message's CPU. All else is the standard library.
"""
