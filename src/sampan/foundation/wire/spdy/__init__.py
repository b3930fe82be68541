"""SPDY/3.1, as clients of Kubernetes speak it inside an upgraded connection.

Only the framing and its streams: no TLS, no requests, no server push.
"""
