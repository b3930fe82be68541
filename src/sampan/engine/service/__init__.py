"""The engines' Unix sockets: frames, calls, and who may make them.

It must not know what a call means: handlers are handed in.
"""
