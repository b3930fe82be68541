"""Tokens with which a new node joins: Secrets of type bootstrap.kubernetes.io/token.

The forms are those of k8s.io/cluster-bootstrap: `ID.SECRET`, six and sixteen characters.
"""

import hmac
import re
from collections.abc import Callable
from datetime import datetime

import msgspec

from sampan.control.api.authentication.identities import AUTHENTICATED, Proof
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.foundation.pki.tokens import InvalidToken
from sampan.foundation.wire.message import Identity
from sampan.kubernetes.kinds.resource import SECRETS
from sampan.kubernetes.machinery.timestamps import InvalidTimestamp, parse
from sampan.kubernetes.machinery.token_secrets import (
    BOOTSTRAP_NAMESPACE,
    BOOTSTRAP_PREFIX,
    BOOTSTRAP_TYPE,
    plain,
)

USER_PREFIX = "system:bootstrap:"
GROUP = "system:bootstrappers"
_FORM = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
_GROUP_FORM = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")


class _Metadata(msgspec.Struct, rename="camel"):
    deletion_timestamp: str | None = None


class _Secret(msgspec.Struct):
    metadata: _Metadata
    type: str = ""
    data: dict[str, str] | None = None


_decode = msgspec.json.Decoder(_Secret).decode


class BootstrapTokens:
    def __init__(self, cache: WatchCache, own_audience: str, clock: Callable[[], datetime]) -> None:
        self._cache = cache
        self._own_audience = own_audience
        self._clock = clock

    def proof(self, token: str, audiences: tuple[str, ...]) -> Proof | None:
        """None for what has not the form of such a token. Raises InvalidToken."""
        form = _FORM.fullmatch(token)
        if form is None:
            return None
        identifier, secret = form.groups()
        if self._own_audience not in audiences:
            raise InvalidToken("the token is invalid: Audience doesn't match")
        stored = self._cache.of(SECRETS).get(
            f"{BOOTSTRAP_NAMESPACE}/{BOOTSTRAP_PREFIX}{identifier}"
        )
        if stored is None:
            raise InvalidToken("there is no such bootstrap token")
        kept = _decode(stored.data)
        data = {key: plain(kept.data, key) for key in kept.data or ()}
        right = hmac.compare_digest(data.get("token-secret", "").encode(), secret.encode())
        if kept.type != BOOTSTRAP_TYPE or kept.metadata.deletion_timestamp or not right:
            raise InvalidToken("there is no such bootstrap token")
        self._check(identifier, data)
        return Proof(_identity(identifier, data), (self._own_audience,))

    def _check(self, identifier: str, data: dict[str, str]) -> None:
        if data.get("token-id") != identifier:
            raise InvalidToken("the bootstrap token is not that of its Secret")
        if data.get("usage-bootstrap-authentication") != "true":
            raise InvalidToken("the bootstrap token is not meant for authentication")
        if "expiration" in data and is_expired(data["expiration"], self._clock()):
            raise InvalidToken("the bootstrap token has expired")


def is_expired(expiration: str, now: datetime) -> bool:
    """Whether a token's time is over; one that can't be read is no time to trust."""
    try:
        return parse(expiration) <= now
    except InvalidTimestamp:
        return True


def _identity(identifier: str, data: dict[str, str]) -> Identity:
    given = [it.strip() for it in data.get("auth-extra-groups", "").split(",") if it.strip()]
    if not all(_GROUP_FORM.fullmatch(it) for it in given):
        raise InvalidToken("the bootstrap token names a group that is not its to give")
    groups = tuple(dict.fromkeys((GROUP, *given, AUTHENTICATED)))
    return Identity(name=f"{USER_PREFIX}{identifier}", groups=groups)
