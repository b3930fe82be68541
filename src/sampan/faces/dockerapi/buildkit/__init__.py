"""The session that `docker buildx` speaks: gRPC over HTTP/2 on a connection taken over from HTTP.

It translates BuildKit's messages to builds of the engine and back; it must not build anything.
"""
