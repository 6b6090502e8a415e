"""What the buyer hears unasked, and the gate that everything unasked passes. Pure."""
