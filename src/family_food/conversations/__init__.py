"""Conversations as they are kept: stored, listed, bounded for a model, exported."""
