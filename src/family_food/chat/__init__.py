"""One chat session from the socket to the tools: frames, turns, confirmations, notices, the conversation."""
