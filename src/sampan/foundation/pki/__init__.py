"""Authorities, certificates, tokens and TLS contexts; knows no kinds and no server."""
