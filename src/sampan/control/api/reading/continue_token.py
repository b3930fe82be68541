"""The token by which a client asks for a list's next page: opaque to it, told apart by version.

Pure. A token holds the revision of the first page, so that all pages are one consistent list, and
the key after which the next one begins. One without a revision goes on with what is there now.
"""

import base64
import binascii

import msgspec

_VERSION = "sampan/v1"
_LONGEST = 4096
NOW = -1
"""The revision of a token that goes on with whatever is there."""


class InvalidToken(ValueError):
    """The text is no token of this server; the answer is 400."""


class ContinueToken(msgspec.Struct, frozen=True):
    """Where the next page begins."""

    revision: int
    after: str
    version: str = _VERSION


def written(token: ContinueToken) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode()


def read(text: str) -> ContinueToken:
    """Raises InvalidToken."""
    try:
        decoded = base64.urlsafe_b64decode(text[:_LONGEST].encode())
        token = msgspec.json.decode(decoded, type=ContinueToken)
    except (binascii.Error, ValueError) as error:
        raise InvalidToken("continue key is not valid: it is none that a list gave") from error
    if token.version != _VERSION:
        raise InvalidToken("continue key is not valid: server does not recognize this version")
    if token.revision < 1 and token.revision != NOW:
        raise InvalidToken("continue key is not valid: incorrect resource version")
    return token
