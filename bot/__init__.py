"""Wismo, the parcel desk that a shop owns: answers, warns, hands over, proves."""

__version__ = "0.1.0"
