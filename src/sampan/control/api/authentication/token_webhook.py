"""Tokens that somebody else judges: each is posted to a webhook as a TokenReview.

What it says is remembered for two minutes, good or bad, so that the same token is not asked about
with every request. The rules are those of the `token/webhook` authenticator in k8s.io/apiserver.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from importlib import import_module

import msgspec

from sampan.control.api.authentication.identities import AUTHENTICATED, Proof
from sampan.control.api.authentication.webhook_configuration import WebhookAddress
from sampan.foundation.pki.tokens import InvalidToken
from sampan.foundation.wire.message import Identity, Request, Transport, bounded, let_go

REMEMBERED_SECONDS = 120.0
MOST_REMEMBERED = 1024
MOST_AT_ONCE = 32
SECONDS = 10.0
MAXIMUM_BYTES = 1024 * 1024

Ask = Callable[[bytes], Awaitable[bytes]]
"""Posts a TokenReview and gives the answer's body. Raises ConnectionError."""

_Key = tuple[bytes, tuple[str, ...]]


class _User(msgspec.Struct):
    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = {}


class _Status(msgspec.Struct):
    authenticated: bool = False
    user: _User = msgspec.field(default_factory=_User)
    audiences: tuple[str, ...] = ()
    error: str = ""


class _Answer(msgspec.Struct):
    status: _Status = msgspec.field(default_factory=_Status)


class TokenWebhook:
    """`own_audience` is what a token is for when the webhook names no audience."""

    def __init__(self, ask: Ask, own_audience: str, clock: Callable[[], datetime]) -> None:
        self._ask = ask
        self._own_audience = own_audience
        self._clock = clock
        self._known: OrderedDict[_Key, tuple[datetime, Proof | None]] = OrderedDict()
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def proof(self, token: str, audiences: tuple[str, ...]) -> Proof | None:
        """None for a token that the webhook doesn't know. Raises InvalidToken when it says what
        is wrong with it, or can't be asked."""
        key = (hashlib.sha256(token.encode()).digest(), audiences)
        until, proof = self._known.get(key, (None, None))
        if until is not None and self._clock() < until:
            return proof
        async with self._turns:
            status = await self._reviewed(token, audiences)
        proof = self._judged(status, audiences)
        self._known[key] = (self._clock() + timedelta(seconds=REMEMBERED_SECONDS), proof)
        self._known.move_to_end(key)
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        if proof is None and status.error:
            raise InvalidToken(status.error)
        return proof

    async def _reviewed(self, token: str, audiences: tuple[str, ...]) -> _Status:
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": audiences},
        }
        try:
            answer = await self._ask(msgspec.json.encode(review))
            return msgspec.json.decode(answer, type=_Answer).status
        except ConnectionError as error:
            raise InvalidToken(f"the token webhook can't be asked: {error}") from error
        except msgspec.DecodeError as error:
            raise InvalidToken("the token webhook's answer is no TokenReview") from error

    def _judged(self, status: _Status, audiences: tuple[str, ...]) -> Proof | None:
        meant_for = status.audiences or (self._own_audience,)
        shared = tuple(it for it in audiences if it in meant_for)
        user = status.user
        if not status.authenticated or not shared or not user.username:
            return None
        groups = tuple(dict.fromkeys((*user.groups, AUTHENTICATED)))
        return Proof(Identity(user.username, groups, user.uid, user.extra), shared)


def asking(address: WebhookAddress) -> Ask:
    """How the webhook at an address is asked: over TLS, bounded, no redirects."""

    async def ask(body: bytes) -> bytes:
        # An HTTP client takes long to import, and most clusters have no such webhook.
        module = await asyncio.to_thread(import_module, "sampan.foundation.wire.http_client")
        transport: Transport = module.HttpsTransport(
            address.base, address.context, address.headers, largest_body=MAXIMUM_BYTES
        )
        try:
            async with asyncio.timeout(SECONDS):
                return await _answer(transport, address.path, body)
        except TimeoutError as error:
            raise ConnectionError("it did not answer in time") from error
        finally:
            await transport.close()

    return ask


async def _answer(transport: Transport, path: str, body: bytes) -> bytes:
    headers = {"content-type": "application/json", "accept": "application/json"}
    response = await transport.send(Request(method="POST", path=path, headers=headers, body=body))
    try:
        if response.status not in (200, 201):
            raise ConnectionError(f"it answered with {response.status}")
        return await bounded(response.body, MAXIMUM_BYTES)
    finally:
        await let_go(response.body)
