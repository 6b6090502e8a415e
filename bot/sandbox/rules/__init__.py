"""The documented fields of each platform's methods, as tables that name the page."""
