"""Requests and responses, and HTTP and WebSocket that carry them.

It must not know what a path means or who may ask for it.
"""
