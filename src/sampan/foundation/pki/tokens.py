"""Signed tokens (JSON Web Tokens, RFC 7519) by which workloads show who they are.

One algorithm alone is accepted, ES256, so that a token can't choose a weaker one or none.
What the claims mean, and whether the account still exists, is the API's business.
"""

import base64
import hashlib
from collections.abc import Collection
from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization

from sampan.foundation.pki.authority import load_key

_ALGORITHM = "ES256"
_LONGEST_TOKEN = 16 * 1024


class InvalidToken(Exception):
    """A token is not one of ours, not valid now, or meant for another audience."""


class TokenSigner:
    """Signs and verifies the tokens of one issuer with one P-256 key."""

    def __init__(self, key_pem: bytes, issuer: str) -> None:
        """Raises InvalidKey."""
        self.issuer = issuer
        self._key = load_key(key_pem)
        self._public_key = self._key.public_key()
        encoded = self._public_key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        digest = hashlib.sha256(encoded).digest()
        self._key_id = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def sign(self, claims: dict[str, Any]) -> str:
        """A token of `claims`, with `iss` set to the issuer."""
        payload = {**claims, "iss": self.issuer}
        return jwt.encode(payload, self._key, _ALGORITHM, headers={"kid": self._key_id})

    def verify(self, token: str, audiences: Collection[str], now: datetime) -> dict[str, Any]:
        """The claims of a token that is ours, valid at `now`, for one of `audiences`.

        A token without `exp` is refused. Raises InvalidToken, which never quotes the token.
        """
        if len(token) > _LONGEST_TOKEN:
            raise InvalidToken("the token is too long")
        try:
            # PyJWT asks the machine for the time; here the time is an argument.
            claims: dict[str, Any] = jwt.decode(
                token,
                self._public_key,
                algorithms=[_ALGORITHM],
                issuer=self.issuer,
                audience=list(audiences),
                options={
                    "require": ["exp", "iss", "aud"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidTokenError as error:
            raise InvalidToken(f"the token is invalid: {error}") from error
        _check_times(claims, now.timestamp())
        return claims


def _check_times(claims: dict[str, Any], now: float) -> None:
    expires, starts = claims["exp"], claims.get("nbf", now)
    if not isinstance(expires, int | float) or not isinstance(starts, int | float):
        raise InvalidToken("the token's times are not numbers")
    if now >= expires:
        raise InvalidToken("the token has expired")
    if now < starts:
        raise InvalidToken("the token is not valid yet")
