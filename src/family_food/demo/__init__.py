"""The demo: a backend of its own, and the family story that plays on it."""
