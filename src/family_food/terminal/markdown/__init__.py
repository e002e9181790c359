"""Markdown as it arrives: finished blocks, laid out once."""
