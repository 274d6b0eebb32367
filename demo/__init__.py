"""A first demo avatar: a short clip of a speaking character, drawn by code, with its landmarks."""
