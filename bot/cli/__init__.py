"""The `wismo` command: one module a group of commands, put together in `main`."""
