"""One question from a script, and its answer."""
