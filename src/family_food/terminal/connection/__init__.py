"""The way to the server and back: sockets, reconnecting, HTTP."""
