"""Decides, asks, remembers. Knows no web framework, no MCP, no language model."""
