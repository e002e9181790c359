"""Talking to Permit.io: its API and its decision point, and their things in our nouns."""
