"""Events, hooks and letters, with real receivers: programs, an HTTP server and an SMTP server on loopback."""
