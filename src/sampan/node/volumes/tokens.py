"""Service account tokens of pods: asked for once, renewed before they expire (KEP-1205).

Knows the TokenRequest subresource and the clock; where tokens are written is not its business.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from sampan.kubernetes.client.contract import Client
from sampan.kubernetes.kinds.resource import SERVICE_ACCOUNTS
from sampan.node.pod_view import Pod, View
from sampan.node.volumes.payload import TokenRequestKey, token_requests

RENEWAL_SHARE = 0.8
LONGEST_USE = 24 * 3600.0


class _TokenStatus(View, frozen=True):
    token: str
    expiration_timestamp: datetime


class _TokenAnswer(View, frozen=True):
    status: _TokenStatus


class _Held(msgspec.Struct, frozen=True):
    token: str
    renew_at: float


class PodTokens:
    """The tokens of one pod. `clock` gives seconds since the epoch."""

    def __init__(self, client: Client, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._held: dict[TokenRequestKey, _Held] = {}

    @property
    def renew_at(self) -> float | None:
        """When `refresh` is due next; None without tokens."""
        return min((held.renew_at for held in self._held.values()), default=None)

    async def refresh(self, pod: Pod) -> Mapping[TokenRequestKey, str]:
        """Every token that the pod needs, fresh. Raises ApiError, ConnectionError."""
        now = self._clock()
        wanted = token_requests(pod)
        due = [key for key in wanted if key not in self._held or self._held[key].renew_at <= now]
        answers = await asyncio.gather(*(self._ask(pod, key, now) for key in due))
        self._held.update(zip(due, answers, strict=True))
        return {key: self._held[key].token for key in wanted}

    async def _ask(self, pod: Pod, key: TokenRequestKey, now: float) -> _Held:
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [key.audience] if key.audience else [],
                "expirationSeconds": key.expiration_seconds,
                "boundObjectRef": {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "name": pod.metadata.name,
                    "uid": pod.metadata.uid,
                },
            },
        }
        raw = await self._client.create(
            SERVICE_ACCOUNTS,
            body,
            pod.metadata.namespace,
            subresource="token",
            name=pod.spec.service_account_name,
        )
        status = msgspec.json.decode(raw, type=_TokenAnswer).status
        life = status.expiration_timestamp.timestamp() - now
        return _Held(status.token, now + min(life * RENEWAL_SHARE, LONGEST_USE))
