"""Restaurants, dishes and orders, and the tools that show and place them."""
