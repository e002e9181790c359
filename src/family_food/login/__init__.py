"""Who may open a session: the users behind accounts, the key that signs tokens, limits."""
