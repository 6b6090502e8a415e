"""Emulated platforms and the demo page; speaks the platforms' wire, never an adapter's code."""
