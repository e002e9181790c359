"""The closed shapes of what callers send."""
