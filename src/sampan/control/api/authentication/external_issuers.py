"""Tokens of issuers outside the cluster (OpenID Connect), by a configuration of whom to trust.

An issuer's keys are fetched when they are first needed, and again when a token names a key that
isn't among them, but not more often than every ten seconds: garbage must not become traffic.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import jwt
import msgspec

from sampan.control.api.authentication.claim_mapping import ClaimMapping
from sampan.control.api.authentication.configuration import TokenIssuer
from sampan.control.api.authentication.identities import Proof
from sampan.foundation.pki.tokens import (
    InvalidToken,
    check_times,
    header_of,
    verified,
)

ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512")
REFRESH_SECONDS = 10.0
_DISCOVERY = "/.well-known/openid-configuration"

Fetch = Callable[[str, str], Awaitable[bytes]]
"""What lies at an HTTPS address, trusting the authorities given as PEM ("" for the machine's).
Raises ConnectionError."""


class _Provider(msgspec.Struct):
    issuer: str
    jwks_uri: str


class _KeySet(msgspec.Struct):
    keys: list[dict[str, Any]]


class ExternalIssuers:
    """All trusted issuers, by the name that stands in their tokens."""

    def __init__(
        self, trusted: tuple[TokenIssuer, ...], fetch: Fetch, clock: Callable[[], datetime]
    ) -> None:
        """Raises InvalidConfiguration."""
        self._clock = clock
        self._issuers = {it.issuer.url: _ExternalIssuer(it, fetch) for it in trusted}

    def issued(self, issuer: str) -> bool:
        return issuer in self._issuers

    async def proof(self, token: str, issuer: str, audiences: tuple[str, ...]) -> Proof:
        """Raises InvalidToken, also when the issuer's keys can't be had."""
        source = self._issuers[issuer]
        claims = await source.verified(token)
        check_times(claims, self._clock())
        return Proof(source.mapping.identity(claims), audiences)


class _ExternalIssuer:
    """One issuer and its keys."""

    def __init__(self, trusted: TokenIssuer, fetch: Fetch) -> None:
        self.mapping = ClaimMapping(trusted)
        self._issuer = trusted.issuer
        self._fetch = fetch
        self._keys: dict[str, jwt.PyJWK] = {}
        self._next_fetch = 0.0
        self._lock = asyncio.Lock()

    async def verified(self, token: str) -> dict[str, Any]:
        header = header_of(token)
        algorithm, name = header.get("alg"), str(header.get("kid", ""))
        if algorithm not in ALGORITHMS:
            raise InvalidToken("the token's algorithm is not taken")
        key = self._keys.get(name)
        if key is None:
            await self._refresh(name)
            key = self._keys.get(name)
        if key is None:
            raise InvalidToken("the token is signed with a key that its issuer doesn't publish")
        claims = verified(token, key.key, (algorithm,))
        if claims.get("iss") != self._issuer.url:
            raise InvalidToken("the token is invalid: Invalid issuer")
        return claims

    async def _refresh(self, wanted: str) -> None:
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if wanted in self._keys or now < self._next_fetch:
                return
            self._next_fetch = now + REFRESH_SECONDS
            try:
                self._keys = await self._published()
            except (ConnectionError, msgspec.MsgspecError) as error:
                raise InvalidToken("the keys of the token's issuer can't be had") from error

    async def _published(self) -> dict[str, jwt.PyJWK]:
        issuer = self._issuer
        address = issuer.discovery_url or issuer.url.rstrip("/") + _DISCOVERY
        raw = await self._fetch(address, issuer.certificate_authority)
        provider = msgspec.json.decode(raw, type=_Provider)
        if provider.issuer != issuer.url:
            raise ConnectionError(f"{address} speaks for another issuer")
        raw = await self._fetch(provider.jwks_uri, issuer.certificate_authority)
        return _usable(msgspec.json.decode(raw, type=_KeySet).keys)


def _usable(published: list[dict[str, Any]]) -> dict[str, jwt.PyJWK]:
    """The keys that can verify; others may stand beside them (RFC 7517, section 5)."""
    found: dict[str, jwt.PyJWK] = {}
    for key in published:
        if key.get("use", "sig") == "sig" and key.get("kty") in ("RSA", "EC"):
            try:
                found[str(key.get("kid", ""))] = jwt.PyJWK(key)
            except jwt.PyJWTError:
                continue
    return found
