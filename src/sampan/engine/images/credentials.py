"""What a registry is told of who asks."""

import msgspec


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """A user and password, or a token that the registry gave before.

    `identity_token` is a refresh token of its token service; `registry_token` a bearer token
    to be sent as it is.
    """

    user: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""
    server: str = ""
