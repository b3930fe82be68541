"""The control plane: `api`, `controllers` and `scheduler`, which meet through the API alone.

It must not know any host, network or container: all it changes are objects.
"""
