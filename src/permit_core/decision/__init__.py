"""Deciding: the decision point of this process."""
