"""The engine's Unix socket: frames, calls, and who may make them.

It must not know what a call means: handlers are handed in.
"""
