"""Local accounts: who may log in with a password, and tokens that end with the account."""
