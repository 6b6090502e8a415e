"""One module a carrier, loaded by the name that stands in the config."""
