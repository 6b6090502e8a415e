"""How the bot answers: understand what was said, name what must be looked up, decide what to say. Pure."""
