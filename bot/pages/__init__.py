"""What the web pages share: bubbles, timelines."""
