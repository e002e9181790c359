"""Who may open a session: accounts, passwords, tokens, limits."""
