"""One module a shop, loaded by the name that stands in the config."""
