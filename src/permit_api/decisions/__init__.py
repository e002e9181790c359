"""Schema and facts of an environment, compiled and asked."""
