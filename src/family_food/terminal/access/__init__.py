"""Getting in: questions at the start, tokens that are kept."""
