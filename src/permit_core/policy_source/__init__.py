"""Where policies come from: a file that is followed, what it replaces, and the checks that a change is tried on."""
