"""Both sides of TLS 1.3 (RFC 8446), to be used wrongly.

Sections are of RFC 8446 where no other document is named.
"""
