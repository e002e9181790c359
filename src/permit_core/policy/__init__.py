"""The policy: a model read from one file, facts, and a pure function that decides. The rule of this folder is in README.md."""
