"""The ports of the core: protocols of few methods, and the nouns that pass through them."""
