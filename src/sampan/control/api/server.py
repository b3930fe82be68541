"""The API server: its parts, its stages and its background tasks, put together.

A client in the same process enters after authentication, under its own name, and passes every
other stage like everyone (`stages.py`).
"""

import ssl
from collections.abc import Callable
from datetime import datetime
from random import Random

from sampan.control.api.attributes import attributes_of
from sampan.control.api.authentication.identities import (
    AUTHENTICATED,
    account_of,
    service_account_identity,
)
from sampan.control.api.call import Call
from sampan.control.api.parts import Parts, parts_of
from sampan.control.api.settings import ApiSettings
from sampan.control.api.stages import stages_of
from sampan.control.api.upkeep.background import Background
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.wire.message import Identity, Request, Response
from sampan.kubernetes.client.api_client import ApiClient
from sampan.store.contract import Store


class ApiServer:
    """One API server over one store. `create`, then `start`; `handle` answers requests."""

    def __init__(self, parts: Parts) -> None:
        self._cache = parts.cache
        self._shutting_down = False
        self._background = Background(parts)
        checks = {
            "ping": _well,
            "cache": self._cache_check,
            "datastore": parts.store.problem,
            "shutdown": self._shutdown_check,
        }
        self._stages = stages_of(parts, self._background.aggregator, checks)

    @classmethod
    def create(
        cls,
        store: Store,
        *,
        settings: ApiSettings,
        signer: TokenSigner,
        clock: Callable[[], datetime],
        random: Random,
        kubelet_context: ssl.SSLContext | None = None,
    ) -> "ApiServer":
        """A server that has not started. `kubelet_context` carries the client certificate with
        which the server asks nodes for logs; without it those answer 503."""
        return cls(
            parts_of(
                store,
                settings=settings,
                signer=signer,
                clock=clock,
                random=random,
                kubelet_context=kubelet_context,
            )
        )

    async def start(self) -> None:
        """Load the cache and put in place what every cluster has."""
        if self._stages.audit_log is not None:
            self._stages.audit_log.start()
        await self._background.start()

    async def handle(self, request: Request) -> Response:
        """Answer a request from the network; never raises."""
        return await self._stages.outside(Call(request, attributes_of(request)))

    async def handle_as(self, request: Request, identity: Identity) -> Response:
        """Answer a request of somebody who is known already."""
        return await self._stages.inside(Call(request, attributes_of(request), identity))

    def transport(self, identity: Identity) -> "InProcessTransport":
        return InProcessTransport(self, identity)

    def client(self, user: str) -> ApiClient:
        """A client in this process under a component's own name."""
        identity = component_identity(user)
        return ApiClient(self.transport(identity), user_agent=user.rpartition(":")[2])

    def begin_shutdown(self) -> None:
        """From now on `readyz` fails and watches end; requests are still answered."""
        self._shutting_down = True
        self._cache.end_watches()

    async def close(self) -> None:
        """End every watch and stop following the store, which stays open."""
        self.begin_shutdown()
        await self._background.close()
        if self._stages.audit_log is not None:
            await self._stages.audit_log.close()

    def _cache_check(self) -> str:
        return "" if self._cache.is_following else "the cache does not follow the store"

    def _shutdown_check(self) -> str:
        return "the server is shutting down" if self._shutting_down else ""


class InProcessTransport:
    """Carries a component's requests straight into the stages after authentication."""

    def __init__(self, server: ApiServer, identity: Identity) -> None:
        self._server = server
        self._identity = identity

    async def send(self, request: Request) -> Response:
        return await self._server.handle_as(request, self._identity)

    async def close(self) -> None:
        """Nothing is held open."""


def component_identity(user: str) -> Identity:
    """The identity of a component of the control plane; service accounts get their groups."""
    account = account_of(user)
    if account is None:
        return Identity(name=user, groups=(AUTHENTICATED,))
    return service_account_identity(*account)


def _well() -> str:
    return ""
