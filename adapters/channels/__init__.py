"""One module a channel, loaded by the name that stands in the config."""
