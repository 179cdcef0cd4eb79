"""Captures of real TLS peers doing RSA key exchange, with the peers' own key log as oracle."""
