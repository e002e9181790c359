"""What each noun of the API is in the database: made, read, changed, taken away."""
