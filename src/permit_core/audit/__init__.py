"""Remembering: an append-only log in which every record is bound to the one before."""
