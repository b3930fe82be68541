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

from sampan.control.api.authentication.configuration import PrefixedClaim, TokenIssuer
from sampan.control.api.authentication.identities import AUTHENTICATED, Proof
from sampan.foundation.pki.tokens import (
    InvalidToken,
    audiences_of,
    check_times,
    header_of,
    verified,
)
from sampan.foundation.wire.message import Identity

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
        self._clock = clock
        self._issuers = {it.issuer.url: _ExternalIssuer(it, fetch) for it in trusted}

    def issued(self, issuer: str) -> bool:
        return issuer in self._issuers

    async def proof(self, token: str, issuer: str, audiences: tuple[str, ...]) -> Proof:
        """Raises InvalidToken, also when the issuer's keys can't be had."""
        source = self._issuers[issuer]
        claims = await source.verified(token)
        check_times(claims, self._clock())
        return Proof(identity_of(claims, source.trusted), audiences)


class _ExternalIssuer:
    """One issuer and its keys."""

    def __init__(self, trusted: TokenIssuer, fetch: Fetch) -> None:
        self.trusted = trusted
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
        if claims.get("iss") != self.trusted.issuer.url:
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
        issuer = self.trusted.issuer
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


def identity_of(claims: dict[str, Any], trusted: TokenIssuer) -> Identity:
    """Whom the claims of a verified token name. Raises InvalidToken. Pure."""
    if not set(audiences_of(claims)) & set(trusted.issuer.audiences):
        raise InvalidToken("the token is invalid: Audience doesn't match")
    for rule in trusted.claim_validation_rules:
        if claims.get(rule.claim) != rule.required_value:
            raise InvalidToken(f"the token's claim {rule.claim!r} is not as required")
    mappings = trusted.claim_mappings
    name = claims.get(mappings.username.claim)
    if not isinstance(name, str) or not name:
        raise InvalidToken(f"the token has no claim {mappings.username.claim!r} to name a user")
    if mappings.username.claim == "email" and claims.get("email_verified", True) is not True:
        raise InvalidToken("the token's email is not verified")
    uid = claims.get(mappings.uid.claim, "") if mappings.uid.claim else ""
    groups = (*_groups(claims, mappings.groups), AUTHENTICATED)
    return Identity(name=(mappings.username.prefix or "") + name, groups=groups, uid=str(uid))


def _groups(claims: dict[str, Any], mapping: PrefixedClaim) -> tuple[str, ...]:
    given = claims.get(mapping.claim) if mapping.claim else None
    listed = [given] if isinstance(given, str) else given or []
    if not isinstance(listed, list) or not all(isinstance(it, str) for it in listed):
        raise InvalidToken(f"the token's claim {mapping.claim!r} is not a list of groups")
    return tuple((mapping.prefix or "") + it for it in listed)
