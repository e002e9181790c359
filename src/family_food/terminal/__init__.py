"""The terminal client's parts. Starts fast: imports nothing of this project but itself, and heavy libraries when used."""
