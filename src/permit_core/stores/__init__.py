"""Rows: the tables, their migrations, and the statements that read and write them."""
