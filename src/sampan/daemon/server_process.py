"""The server's process: store, API, controllers and scheduler in one event loop.

They meet through the API alone: controllers and scheduler are its clients in process, each
under a name of its own. Of several servers on one datastore, one runs them at a time.
"""

import asyncio
import contextlib
import gc
import logging
import os
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from random import Random

import msgspec

from sampan.control.api.server import ApiServer
from sampan.control.api.settings import ApiSettings, settings_of
from sampan.control.controllers.settings import ControllerSettings
from sampan.daemon.absent_nodes import remove_absent_nodes
from sampan.daemon.event_loop import collect_seldom, end_of_file, run_until_terminated
from sampan.daemon.leadership import Office, in_office, lease_times
from sampan.daemon.log_files import log_folder
from sampan.daemon.node_list import MACHINE_NODE, NodeList, node_list_path
from sampan.daemon.offices import offices
from sampan.daemon.server_store import ServerStore
from sampan.foundation.pki import kubeconfig
from sampan.foundation.pki.authority import Authority, KeyPair
from sampan.foundation.pki.cluster import ClusterCredentials, prepare
from sampan.foundation.pki.contexts import client_context, server_context
from sampan.foundation.pki.files import write_atomically
from sampan.foundation.pki.subjects import ADMINISTRATORS
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.settings import Instance
from sampan.foundation.wire.http_server import serve
from sampan.foundation.wire.message import Identity
from sampan.kubernetes.client.api_client import ApiClient

# Requests take milliseconds; what takes longer is a watch or a stream, which goes on elsewhere.
DRAIN_SECONDS = 1.0
_ADMINISTRATOR = Identity("kubernetes-admin", (ADMINISTRATORS,))

_log = logging.getLogger(__name__)


def run(
    instance: Instance,
    environment: Mapping[str, str] = os.environ,
    *,
    network: int | None = None,
    ready: int | None = None,
) -> None:
    """Be the server until SIGTERM; the caller has set up its log.

    `environment` names the datastore (see `foundation/datastore.py`) and the times of leases (see
    `daemon/leadership.py`). `network` is a descriptor
    whose end of file tells that the addresses to listen on are there; to `ready` one byte is
    written when requests are taken.
    """
    collect_seldom()
    run_until_terminated(lambda stop: _run(instance, environment, network, ready, stop))


async def _run(
    instance: Instance,
    environment: Mapping[str, str],
    network: int | None,
    ready: int | None,
    stop: asyncio.Event,
) -> None:
    times = lease_times(environment)
    credentials = prepare(instance.configuration_folder / "pki", instance, _now())
    _write_kubeconfig(instance, credentials)
    async with contextlib.AsyncExitStack() as running:
        settings = _settings(instance, credentials)
        signer = _signer(credentials, settings.issuer)
        opened = await ServerStore.open(instance, environment)
        running.push_async_callback(opened.close)
        opened.obey_signals()
        api = await running.enter_async_context(_api(opened, settings, credentials, signer))
        await end_of_file(network, stop)
        server = await serve(
            api.handle,
            addresses=(str(instance.loopback_address), str(instance.node_address(MACHINE_NODE))),
            port=instance.api_port,
            context=server_context(credentials.api_server, credentials.authority),
        )
        running.push_async_callback(server.close, DRAIN_SECONDS)
        if ready is not None:
            os.write(ready, b"1")
            os.close(ready)
        _log.info("requests are taken")
        running.callback(api.begin_shutdown)
        filled = _offices(instance, api, credentials, signer)
        await running.enter_async_context(
            in_office(filled, api.client, _now, times if opened.store.is_shared else None)
        )
        await _remove_absent_nodes(instance, api)
        gc.freeze()
        await stop.wait()


@contextlib.asynccontextmanager
async def _api(
    opened: ServerStore, settings: ApiSettings, credentials: ClusterCredentials, signer: TokenSigner
) -> AsyncIterator[ApiServer]:
    """The API over a store, started."""
    api = ApiServer.create(
        opened.store,
        settings=settings,
        signer=signer,
        clock=_now,
        random=Random(),  # noqa: S311 - suffixes of names; nothing secret is drawn from it
        kubelet_context=client_context(credentials.authority, credentials.kubelet_client),
    )
    try:
        await api.start()
        yield api
    finally:
        await api.close()


def _settings(instance: Instance, credentials: ClusterCredentials) -> ApiSettings:
    """What follows from the instance's name, and the files that its administrator has put beside
    the certificates: who else may show which tokens, and what the audit log tells."""
    token_file = instance.configuration_folder / "tokens.csv"
    authentication_file = instance.configuration_folder / "authentication.yaml"
    token_webhook_file = instance.configuration_folder / "token-webhook.yaml"
    audit_policy_file = instance.configuration_folder / "audit-policy.yaml"
    return msgspec.structs.replace(
        settings_of(instance),
        token_file=token_file if token_file.exists() else None,
        authentication_file=authentication_file if authentication_file.exists() else None,
        token_webhook_file=token_webhook_file if token_webhook_file.exists() else None,
        audit_log=log_folder(instance) / "audit.log",
        audit_policy_file=audit_policy_file if audit_policy_file.exists() else None,
        client_authority=credentials.authority.read_text(),
        front_proxy_authority=credentials.front_proxy_authority.certificate.read_text(),
        front_proxy_client=credentials.front_proxy_client,
    )


def _signer(credentials: ClusterCredentials, issuer: str) -> TokenSigner:
    key = credentials.service_account_key.read_bytes()
    return TokenSigner(key, issuer, replaced=credentials.replaced_service_account_keys())


def _offices(
    instance: Instance, api: ApiServer, credentials: ClusterCredentials, signer: TokenSigner
) -> tuple[Office, ...]:
    """Controllers and scheduler."""
    settings = ControllerSettings(
        pod_range=instance.pod_range,
        authority=Authority(
            credentials.authority.read_bytes(), credentials.authority_key.read_bytes()
        ),
        sign_token=signer.sign,
    )
    random = Random()  # noqa: S311 - spreads choices; nothing secret is drawn from it
    return offices(api.client, settings, _now, random)


async def _remove_absent_nodes(instance: Instance, api: ApiServer) -> None:
    nodes = NodeList(node_list_path(instance))
    if nodes.entries:
        client = ApiClient(api.transport(_ADMINISTRATOR))
        present = (node.name for node in nodes.entries)
        await remove_absent_nodes(client, present, nodes.prefix)


def _write_kubeconfig(instance: Instance, credentials: ClusterCredentials) -> None:
    pair = credentials.administrator
    document = kubeconfig.kubeconfig(
        server=f"https://{instance.loopback_address}:{instance.api_port}",
        context=instance.name,
        authority=credentials.authority.read_bytes(),
        administrator=KeyPair(pair.certificate.read_bytes(), pair.key.read_bytes()),
    )
    content = kubeconfig.render(document)
    if not instance.kubeconfig.exists() or instance.kubeconfig.read_bytes() != content:
        write_atomically(instance.kubeconfig, content)


def _now() -> datetime:
    return datetime.now(UTC)
