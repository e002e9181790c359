"""Tool servers that start at once: forked, a process for each session, from one that has imported everything."""
