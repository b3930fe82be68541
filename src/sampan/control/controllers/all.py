"""All controllers, and how they are run together: the wiring and nothing else."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any

from sampan.control.controllers import (
    account_tokens,
    bootstrap_signer,
    certificate_approval,
    certificate_cleaning,
    certificate_signing,
    claim_protection,
    deployment,
    disruption,
    endpoint_slice,
    flow_schemas,
    garbage,
    namespace,
    node_lifecycle,
    node_ranges,
    pod_certificate_cleaning,
    pod_garbage,
    replica_set,
    replication_controller,
    role_aggregation,
    root_certificate,
    service_account,
    storage_version_migration,
    taint_eviction,
    token_cleaner,
    trust_bundle_publisher,
    volume_protection,
)
from sampan.control.controllers.caches import Cache, Caches
from sampan.control.controllers.controller import Controller
from sampan.control.controllers.custom_resources import CustomResources
from sampan.control.controllers.heartbeats import PULSE_SECONDS, Heartbeats
from sampan.control.controllers.runner import Runner
from sampan.control.controllers.settings import ControllerSettings
from sampan.control.controllers.taint_eviction import TaintAges
from sampan.foundation import tasks
from sampan.kubernetes.client.contract import Client
from sampan.kubernetes.client.informer import Informer
from sampan.kubernetes.kinds.all import ALL
from sampan.kubernetes.kinds.resource import EVENTS

READER = "system:kube-controller-manager"
ACCOUNT_PREFIX = "system:serviceaccount:kube-system:"


class Controllers:
    """The controllers at work, until `close`."""

    def __init__(
        self,
        client_for: Callable[[str], Client],
        settings: ControllerSettings,
        clock: Callable[[], datetime],
        random: Random,
    ) -> None:
        loop = asyncio.get_running_loop()
        caches = built_in_caches()
        self._heartbeats = Heartbeats(loop.time)
        self._heartbeats.attach(caches)
        ages = TaintAges(loop.time)
        ages.attach(caches)
        self._runners = [
            Runner(each, caches, client_for(ACCOUNT_PREFIX + each.account), clock, random)
            for each in controllers(settings, self._heartbeats, ages)
        ]
        reader = client_for(READER)
        every = (*caches.kinds(), *caches.heads.values())
        self._informers = [_informer(reader, cache) for cache in every]
        self._custom_resources = CustomResources(reader, caches)
        self._pulse: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Fill the caches, then begin to work."""
        for informer in self._informers:
            informer.start()
        await asyncio.gather(*(informer.synced.wait() for informer in self._informers))
        await self._custom_resources.start()
        self._pulse = asyncio.create_task(self._beat(), name="pulse of the controllers")
        for runner in self._runners:
            runner.start()

    async def close(self) -> None:
        """Stop all of it. What was being done is found and finished at the next start."""
        await tasks.end(self._pulse)
        for runner in self._runners:
            await runner.close()
        await self._custom_resources.close()
        for informer in self._informers:
            await informer.close()

    async def _beat(self) -> None:
        """Notice when this process itself was held up; see `heartbeats`."""
        while True:
            await asyncio.sleep(PULSE_SECONDS)
            self._heartbeats.pulse()


def built_in_caches() -> Caches:
    """The caches, with the metadata of every built-in kind but events, which come and go too
    often to be followed."""
    caches = Caches(())
    listed = [kind for kind in ALL if kind.stored and "watch" in kind.verbs]
    for kind in listed:
        resource = kind.resource
        if kind.stored_as is None and resource != EVENTS:
            others = [it.resource for it in listed if it.stored_as == resource]
            caches.add(resource, [it.version for it in others if it.group == resource.group])
    return caches


def controllers(
    settings: ControllerSettings, heartbeats: Heartbeats, ages: TaintAges
) -> tuple[Controller[Any], ...]:
    """Every controller."""
    certificate = settings.authority.certificate.decode()
    return (
        deployment.CONTROLLER,
        replica_set.CONTROLLER,
        replication_controller.CONTROLLER,
        disruption.CONTROLLER,
        endpoint_slice.CONTROLLER,
        service_account.CONTROLLER,
        role_aggregation.CONTROLLER,
        account_tokens.controller(certificate, settings.sign_token),
        token_cleaner.CONTROLLER,
        bootstrap_signer.CONTROLLER,
        root_certificate.controller(certificate),
        trust_bundle_publisher.controller(certificate),
        certificate_approval.CONTROLLER,
        certificate_signing.controller(settings.authority),
        certificate_cleaning.CONTROLLER,
        pod_certificate_cleaning.CONTROLLER,
        storage_version_migration.CONTROLLER,
        claim_protection.CONTROLLER,
        volume_protection.CONTROLLER,
        flow_schemas.CONTROLLER,
        namespace.CONTROLLER,
        garbage.CONTROLLER,
        node_ranges.controller(settings.pod_range),
        node_lifecycle.controller(heartbeats, settings.node_grace_seconds),
        taint_eviction.controller(ages),
        pod_garbage.controller(settings.finished_pods_kept),
    )


def _informer(client: Client, cache: Cache[Any]) -> Informer[Any]:
    informer = Informer(client, cache.resource, cache.view, field_selector=cache.field_selector)
    informer.on_change(cache.change)
    return informer


async def run_controllers(
    client_for: Callable[[str], Client],
    settings: ControllerSettings,
    clock: Callable[[], datetime],
    random: Random,
) -> Controllers:
    """Start every controller. `client_for` gives the client of a user: READER for what they
    read, ACCOUNT_PREFIX and the account of each controller for what it writes."""
    running = Controllers(client_for, settings, clock, random)
    await running.start()
    return running
