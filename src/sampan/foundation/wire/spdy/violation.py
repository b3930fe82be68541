"""What a peer may not say."""


class ProtocolViolation(ConnectionError):
    """The peer doesn't speak SPDY/3.1; the connection can't go on."""
