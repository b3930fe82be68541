"""Tokens of a file: `token,user,uid,"group,group"` a line, as kube-apiserver's --token-auth-file.

Read once, at the start. Tokens are kept as digests, so that looking one up tells nothing by its
duration.
"""

import csv
import hashlib
from pathlib import Path

from sampan.control.api.authentication.identities import AUTHENTICATED, Proof
from sampan.foundation.wire.message import Identity

_FEWEST_FIELDS = 3


class InvalidTokenFile(ValueError):
    """A line of the file is not `token,user,uid[,groups]`, or names a token again."""


class StaticTokens:
    def __init__(self, identities: dict[bytes, Identity], own_audience: str) -> None:
        self._identities = identities
        self._own_audience = own_audience

    @classmethod
    def read(cls, path: Path, own_audience: str) -> "StaticTokens":
        """Raises OSError, InvalidTokenFile; neither quotes a token."""
        return cls(parsed(path.read_text()), own_audience)

    def proof(self, token: str, audiences: tuple[str, ...]) -> Proof | None:
        """None for a token that the file doesn't hold."""
        identity = self._identities.get(_digest(token)) if self._identities else None
        if identity is None or self._own_audience not in audiences:
            return None
        return Proof(identity, (self._own_audience,))


def parsed(text: str) -> dict[bytes, Identity]:
    """Identities by the digest of their token. Raises InvalidTokenFile."""
    found: dict[bytes, Identity] = {}
    for number, fields in enumerate(csv.reader(text.splitlines(), skipinitialspace=True), 1):
        if not fields:
            continue
        if len(fields) < _FEWEST_FIELDS or not fields[0] or not fields[1]:
            raise InvalidTokenFile(f"line {number}: need a token, a user name and a uid")
        if _digest(fields[0]) in found:
            raise InvalidTokenFile(f"line {number}: the token stands in the file already")
        listed = fields[3].split(",") if len(fields) > _FEWEST_FIELDS else []
        groups = tuple(group for it in listed if (group := it.strip()))
        found[_digest(fields[0])] = Identity(fields[1], (*groups, AUTHENTICATED), fields[2])
    return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
