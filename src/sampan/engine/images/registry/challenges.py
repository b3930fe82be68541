"""What a registry asks of those it doesn't know: the WWW-Authenticate header. Pure.

Sources: RFC 9110, 11.6.1 (challenges); distribution's token authentication specification.
"""

import base64
import re
from collections.abc import Sequence

import msgspec

_PARAMETER = re.compile(r'([a-zA-Z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*,?\s*')
_SCHEMES = ("bearer", "basic")


class Challenge(msgspec.Struct, frozen=True):
    """`scheme` is `bearer` or `basic`; the rest is what a token is asked for with."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


def parse_challenges(headers: Sequence[str]) -> list[Challenge]:
    """The challenges that can be met, the safest first; unknown schemes are left out."""
    found = []
    for header in headers:
        scheme, _, rest = header.strip().partition(" ")
        if scheme.lower() in _SCHEMES:
            values = {
                name.lower(): quoted.replace('\\"', '"') or plain
                for name, quoted, plain in _PARAMETER.findall(rest)
            }
            found.append(
                Challenge(
                    scheme.lower(),
                    values.get("realm", ""),
                    values.get("service", ""),
                    values.get("scope", ""),
                )
            )
    return sorted(found, key=lambda it: _SCHEMES.index(it.scheme))


def basic_authorization(user: str, password: str) -> str:
    """The header's value of RFC 7617."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
