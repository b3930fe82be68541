"""Bringing images from registries and taking them there (OCI distribution specification).

It must not know how images are kept beyond the store's own methods, nor who asks.
"""
