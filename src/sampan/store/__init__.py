"""Keys, bytes and revisions, kept durably and told to whoever watches; `contract` is all of it.

It must not know what the bytes mean.
"""
