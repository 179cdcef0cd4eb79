"""The TLS stacks that talk in the captures, each behind the same `Endpoint` interface."""
