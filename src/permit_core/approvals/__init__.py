"""Asking a human, exactly and durably."""
