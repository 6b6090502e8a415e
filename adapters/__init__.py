"""Adapters translate between a platform's wire and our values; each is found by its module's name."""
