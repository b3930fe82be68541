"""Upgraded connections to the node's API: commands and their streams, forwarded ports."""
