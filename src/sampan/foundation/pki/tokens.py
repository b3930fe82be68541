"""Signed tokens (JSON Web Tokens, RFC 7519) by which workloads show who they are.

One algorithm alone is accepted, ES256, so that a token can't choose a weaker one or none.
What the claims mean, and whether the account still exists, is the API's business.
"""

import base64
import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sampan.foundation.pki.authority import load_key

ALGORITHM = "ES256"
LONGEST_TOKEN = 16 * 1024
_COORDINATE_BYTES = 32


class InvalidToken(Exception):
    """A token is not one of ours, not valid now, or meant for another audience."""


class TokenSigner:
    """Signs the tokens of one issuer with one P-256 key, and verifies them with this key and
    those that it replaced."""

    def __init__(self, key_pem: bytes, issuer: str, *, replaced: Iterable[bytes] = ()) -> None:
        """`replaced` are keys (PEM) whose tokens are still taken. Raises InvalidKey."""
        self.issuer = issuer
        self._key = load_key(key_pem)
        publics = [self._key.public_key(), *(load_key(pem).public_key() for pem in replaced)]
        self._publics = {_key_id(each): each for each in publics}
        self._key_id = _key_id(self._key.public_key())

    def sign(self, claims: dict[str, Any]) -> str:
        """A token of `claims`, with `iss` set to the issuer unless they name one."""
        payload = {"iss": self.issuer, **claims}
        return jwt.encode(payload, self._key, ALGORITHM, headers={"kid": self._key_id})

    def verify(self, token: str, audiences: Collection[str], now: datetime) -> dict[str, Any]:
        """The claims of a token that is ours, valid at `now`, for one of `audiences`.

        A token without `exp` is refused. Raises InvalidToken, which never quotes the token.
        """
        claims = self.verify_signature(token)
        if claims.get("iss") != self.issuer:
            raise InvalidToken("the token is invalid: Invalid issuer")
        check_audience(claims, audiences)
        check_times(claims, now)
        return claims

    def verify_signature(self, token: str) -> dict[str, Any]:
        """The claims of a token that one of the keys has signed, whatever they say.

        Raises InvalidToken.
        """
        key = self._publics.get(str(header_of(token).get("kid", "")))
        if key is None:
            raise InvalidToken("the token is invalid: Signature verification failed")
        return verified(token, key, (ALGORITHM,))

    def key_set(self) -> dict[str, Any]:
        """The public keys as a JSON Web Key Set (RFC 7517), the signing one first."""
        return {"keys": [_json_web_key(each, public) for each, public in self._publics.items()]}


def header_of(token: str) -> dict[str, Any]:
    """The header of a token, which nothing vouches for yet. Raises InvalidToken."""
    if len(token) > LONGEST_TOKEN:
        raise InvalidToken("the token is too long")
    try:
        return jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as error:
        raise InvalidToken(f"the token is invalid: {error}") from error


def verified(token: str, key: Any, algorithms: Collection[str]) -> dict[str, Any]:
    """The claims of a token whose signature `key` verifies. Raises InvalidToken."""
    try:
        # PyJWT asks the machine for the time; here the time is an argument, checked apart.
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(algorithms),
            options={
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
                "verify_iss": False,
            },
        )
    except jwt.InvalidTokenError as error:
        raise InvalidToken(f"the token is invalid: {error}") from error
    return claims


def audiences_of(claims: dict[str, Any]) -> tuple[str, ...]:
    """The audiences that a token is meant for; RFC 7519 lets one stand alone."""
    given = claims.get("aud")
    listed = [given] if isinstance(given, str) else given
    return tuple(map(str, listed)) if isinstance(listed, list) else ()


def check_audience(claims: dict[str, Any], audiences: Collection[str]) -> None:
    """Raises InvalidToken for a token that is meant for nobody of `audiences`."""
    if not set(audiences_of(claims)) & set(audiences):
        raise InvalidToken("the token is invalid: Audience doesn't match")


def check_times(claims: dict[str, Any], now: datetime) -> None:
    """Raises InvalidToken unless `now` lies between `nbf` and `exp`; the latter must be there."""
    moment = now.timestamp()
    expires, starts = claims.get("exp"), claims.get("nbf", moment)
    if not isinstance(expires, int | float) or not isinstance(starts, int | float):
        raise InvalidToken("the token's times are not numbers")
    if moment >= expires:
        raise InvalidToken("the token has expired")
    if moment < starts:
        raise InvalidToken("the token is not valid yet")


def _key_id(public: ec.EllipticCurvePublicKey) -> str:
    encoded = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64url(hashlib.sha256(encoded).digest())


def _json_web_key(key_id: str, public: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers = public.public_numbers()
    return {
        "use": "sig",
        "kty": "EC",
        "kid": key_id,
        "crv": "P-256",
        "alg": ALGORITHM,
        "x": base64url(numbers.x.to_bytes(_COORDINATE_BYTES, "big")),
        "y": base64url(numbers.y.to_bytes(_COORDINATE_BYTES, "big")),
    }


def base64url(content: bytes) -> str:
    """Without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
