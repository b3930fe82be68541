"""The API server: the stages in their order, and the parts that they share.

    a request → answering → authentication → impersonation → authorization → aggregation → routing
    → (for a write: decoding → defaulting → admission → validation → verdicts → store)

A client in the same process enters after authentication, under its own name, and passes every
other stage like everyone.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from datetime import datetime
from random import Random

from sampan.control.api.admission.all import admission_chain
from sampan.control.api.admission.policies.policy_status import PolicyStatus
from sampan.control.api.aggregation.aggregator import Aggregator
from sampan.control.api.answering import answer
from sampan.control.api.attributes import attributes_of
from sampan.control.api.audit import configured as audit_log
from sampan.control.api.authentication.configured import configured
from sampan.control.api.authentication.identities import (
    AUTHENTICATED,
    account_of,
    service_account_identity,
)
from sampan.control.api.authentication.impersonation import Impersonation
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.bootstrap.bootstrap import Bootstrap
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call, Handler, chained
from sampan.control.api.custom_resources.conversion import webhook_conversion
from sampan.control.api.custom_resources.publishing import CustomResources
from sampan.control.api.documents.documents import Documents
from sampan.control.api.documents.issuer_documents import IssuerDocuments
from sampan.control.api.fairness.stage import Fairness
from sampan.control.api.fairness.width import width_by_objects
from sampan.control.api.handlers import Parts, handlers, posted
from sampan.control.api.metering import Metering
from sampan.control.api.outgoing.webhook_caller import WebhookCaller
from sampan.control.api.proxies.node_proxy import NodeProxy
from sampan.control.api.proxies.proxies import Proxies
from sampan.control.api.quota.charging import QuotaCharges
from sampan.control.api.quota.counting import QuotaCounts
from sampan.control.api.reading.consistent_reads import ConsistentReads
from sampan.control.api.reviews.reviews import Reviews
from sampan.control.api.routing import Router
from sampan.control.api.settings import ApiSettings
from sampan.control.api.upkeep.event_expiry import EventExpiry
from sampan.control.api.writing.service_addresses import ServiceAddresses
from sampan.control.api.writing.writer import Writer
from sampan.foundation import tasks
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.wire.message import Identity, Request, Response
from sampan.kubernetes.client.api_client import ApiClient
from sampan.kubernetes.expressions import patience
from sampan.kubernetes.kinds.all import ALL, BY_RESOURCE
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.registry import Kinds
from sampan.kubernetes.kinds.resource import RESOURCE_QUOTAS, SERVICES
from sampan.kubernetes.machinery.generated_names import new_uid
from sampan.store.contract import Store, StoreError

COMPACTION_SECONDS = 300.0

_log = logging.getLogger("sampan.api")


class ApiServer:
    """One API server over one store. `create`, then `start`; `handle` answers requests."""

    def __init__(
        self,
        store: Store,
        *,
        settings: ApiSettings,
        signer: TokenSigner,
        clock: Callable[[], datetime],
        random: Random,
        kubelet_context: ssl.SSLContext | None,
    ) -> None:
        self._store = store
        self._shutting_down = False
        self._compaction: asyncio.Task[None] | None = None
        self._kinds = kinds = Kinds(ALL)
        self._cache = cache = WatchCache(store, kinds)
        self._authorizer = Authorizer(cache)
        tokens, authentication = configured(cache, signer, settings, clock)
        self._addresses = ServiceAddresses(cache, settings, random)
        self._webhooks = WebhookCaller(cache)
        charges = QuotaCharges(cache, self._account, clock)
        self._quotas = QuotaCounts(cache, kinds, charges, self._account, clock)
        self._writer = Writer(
            store,
            cache,
            clock=clock,
            random=random,
            admission=admission_chain(
                cache,
                kinds,
                self._authorizer,
                settings=settings,
                clock=clock,
                random=random,
                caller=self._webhooks,
                quotas=charges,
            ),
            reserve={SERVICES: self._addresses.reserved},
        )
        self._policy_status = PolicyStatus(self._writer, cache, kinds)
        self._custom_resources = CustomResources(
            self._writer,
            cache,
            kinds,
            clock,
            lambda it: webhook_conversion(it, self._webhooks, lambda: new_uid(random)),
        )
        self._aggregator = Aggregator(
            self._writer, cache, kinds, settings, clock=clock, random=random
        )
        self._expiry = EventExpiry(self._writer, cache)
        self._proxy = NodeProxy(cache, kubelet_context)
        self._bootstrap = Bootstrap(self._writer, cache, settings, clock)
        self._metering = Metering(cache)
        address = f"{settings.advertised_address}:{settings.port}"
        documents = Documents(
            kinds,
            address,
            {
                "ping": _well,
                "cache": self._cache_check,
                "datastore": store.problem,
                "shutdown": self._shutdown_check,
            },
            self._metering.exposition,
            self._aggregator.versions,
        )
        reviews = Reviews(self._authorizer, tokens)
        parts = Parts(
            self._writer,
            cache,
            self._proxy,
            Proxies(cache, self._authorizer, kubelet_context, random),
            self._authorizer,
            signer,
            settings,
            clock,
            random,
        )
        paths = IssuerDocuments(signer, address, documents)
        router = Router(kinds, cache, handlers(parts), posted(parts, reviews.create), paths)
        current = (ConsistentReads(store, cache),) if store.is_shared else ()
        last = (*current, self._aggregator.stage)
        audited = audit_log.configured(settings, clock, random)
        self._audit_log = audited[1] if audited else None
        audit = (audited[0],) if audited else ()
        unauthenticated = (audited[0].unauthenticated,) if audited else ()
        self._inside: Handler = chained(
            (self._metering, answer, *audit, self._authorizer, *last), router
        )
        self._outside: Handler = chained(
            (
                self._metering,
                answer,
                *unauthenticated,
                authentication,
                *audit,
                Impersonation(self._authorizer),
                Fairness(cache, settings.concurrent_requests, width_by_objects(kinds, cache)),
                self._authorizer,
                *last,
            ),
            router,
        )

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
            store,
            settings=settings,
            signer=signer,
            clock=clock,
            random=random,
            kubelet_context=kubelet_context,
        )

    async def start(self) -> None:
        """Load the cache and put in place what every cluster has."""
        if self._audit_log is not None:
            self._audit_log.start()
        await self._cache.start()
        await self._custom_resources.load()
        self._addresses.load(self._cache.of(SERVICES).select(Selection()))
        await self._bootstrap.run()
        self._aggregator.start()
        self._expiry.start()
        self._custom_resources.start()
        self._policy_status.start()
        self._quotas.start()
        self._compaction = asyncio.create_task(self._compact(), name="compaction")

    async def handle(self, request: Request) -> Response:
        """Answer a request from the network; never raises."""
        return await self._outside(Call(request, attributes_of(request)))

    async def handle_as(self, request: Request, identity: Identity) -> Response:
        """Answer a request of somebody who is known already."""
        return await self._inside(Call(request, attributes_of(request), identity))

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
        await tasks.end(self._compaction)
        await self._expiry.close()
        await self._quotas.close()
        await self._custom_resources.close()
        await self._policy_status.close()
        await self._aggregator.close()
        await self._cache.close()
        await self._proxy.close()
        if self._audit_log is not None:
            await self._audit_log.close()
        await self._webhooks.close()
        patience.end_threads()

    async def _account(self, key: str, change: Callable[[StoredObject], Object]) -> None:
        """Write a quota's account."""
        await self._writer.transform(BY_RESOURCE[RESOURCE_QUOTAS], key, change)

    def _cache_check(self) -> str:
        return "" if self._cache.is_following else "the cache does not follow the store"

    def _shutdown_check(self) -> str:
        return "the server is shutting down" if self._shutting_down else ""

    async def _compact(self) -> None:
        """Forget history that the cache has left behind for a whole period."""
        while True:
            before = self._cache.revision
            await asyncio.sleep(COMPACTION_SECONDS)
            try:
                await self._store.compact(before)
            except StoreError:
                _log.exception("compaction failed; it is tried again")


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
