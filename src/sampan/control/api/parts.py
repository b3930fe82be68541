"""The parts of an API server that its stages, handlers and background tasks share.

It must know no stage and no verb.
"""

import ssl
from collections.abc import Callable
from datetime import datetime
from random import Random

import msgspec

from sampan.control.api.admission.all import admission_chain
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.cache.stored_object import StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.outgoing.webhook_caller import WebhookCaller
from sampan.control.api.proxies.node_proxy import NodeProxy
from sampan.control.api.proxies.proxies import Proxies
from sampan.control.api.quota.charging import QuotaCharges
from sampan.control.api.quota.counting import QuotaCounts
from sampan.control.api.settings import ApiSettings
from sampan.control.api.writing.service_addresses import ServiceAddresses
from sampan.control.api.writing.templates import Templates
from sampan.control.api.writing.writer import Reserve, Writer
from sampan.foundation.pki.tokens import TokenSigner
from sampan.kubernetes.kinds.all import ALL, BY_RESOURCE
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.registry import Kinds
from sampan.kubernetes.kinds.resource import RESOURCE_QUOTAS, SERVICES, Resource
from sampan.store.contract import Store


class Parts(msgspec.Struct, frozen=True):
    """What one server is made of; each part is there once."""

    store: Store
    settings: ApiSettings
    signer: TokenSigner
    clock: Callable[[], datetime]
    random: Random
    kinds: Kinds
    cache: WatchCache
    authorizer: Authorizer
    webhooks: WebhookCaller
    addresses: ServiceAddresses
    quotas: QuotaCounts
    writer: Writer
    templates: Templates
    proxy: NodeProxy
    proxies: Proxies


def parts_of(
    store: Store,
    *,
    settings: ApiSettings,
    signer: TokenSigner,
    clock: Callable[[], datetime],
    random: Random,
    kubelet_context: ssl.SSLContext | None,
) -> Parts:
    """The parts of a server over a store; nothing is started."""
    kinds = Kinds(ALL)
    cache = WatchCache(store, kinds)
    authorizer, webhooks = Authorizer(cache), WebhookCaller(cache)
    addresses = ServiceAddresses(cache, settings, random)

    async def account(key: str, change: Callable[[StoredObject], Object]) -> None:
        """Write a quota's account."""
        await writer.transform(BY_RESOURCE[RESOURCE_QUOTAS], key, change)

    charges = QuotaCharges(cache, account, clock)
    admission = admission_chain(
        cache,
        kinds,
        authorizer,
        settings=settings,
        clock=clock,
        random=random,
        caller=webhooks,
        quotas=charges,
    )
    reserve: dict[Resource, Reserve] = {SERVICES: addresses.reserved}
    writer = Writer(store, cache, clock=clock, random=random, admission=admission, reserve=reserve)
    return Parts(
        store=store,
        settings=settings,
        signer=signer,
        clock=clock,
        random=random,
        kinds=kinds,
        cache=cache,
        authorizer=authorizer,
        webhooks=webhooks,
        addresses=addresses,
        quotas=QuotaCounts(cache, kinds, charges, account, clock),
        writer=writer,
        templates=Templates(cache, admission.fill),
        proxy=NodeProxy(cache, kubelet_context),
        proxies=Proxies(cache, authorizer, kubelet_context, random),
    )
