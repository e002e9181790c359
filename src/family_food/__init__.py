"""The family food-ordering chat: menu, orders, accounts, conversation, models."""
