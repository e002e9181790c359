"""What the person types: lines, keys, history, completion."""
