"""A TLS client that misbehaves on purpose, and what a server must answer to it."""
