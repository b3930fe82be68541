"""The agent's process of one node: its engine, its network and its kubelet, put together."""

import asyncio
import logging
import os
from datetime import UTC, datetime

from sampan import __version__
from sampan.daemon import log_files, private_bridge
from sampan.daemon.event_loop import end_of_file, run_until_terminated
from sampan.daemon.node_list import (
    MACHINE_NODE,
    NodeList,
    name_in_cluster,
    node_list_path,
    node_name,
)
from sampan.engine.container_engine import ContainerEngine
from sampan.engine.images.client import ImageClient
from sampan.engine.peers.member import Member
from sampan.foundation.pki.cluster import prepare
from sampan.foundation.pki.contexts import KeyPairPaths, client_context
from sampan.foundation.settings import Instance
from sampan.foundation.wire.http_client import HttpsTransport
from sampan.host.cgroups import control_groups
from sampan.host.forking import set_process_name
from sampan.host.machine import MachineFacts, machine_facts
from sampan.kubernetes.client.api_client import ApiClient
from sampan.network.contract import NodeNetwork
from sampan.network.dns_process import DnsProcess
from sampan.network.pods import PodNetworks
from sampan.network.ruleset import Ruleset
from sampan.network.services import KernelServiceRules
from sampan.node.agent import NetworkParts, run_agent
from sampan.node.settings import AgentSettings

KUBERNETES_VERSION = "v1.37.0"
STOP_GRACE_SECONDS = 10.0
_MACHINE_SOCKET = "engine.sock"

_log = logging.getLogger(__name__)


def run(instance: Instance, number: int, *, server: int | None = None) -> None:
    """Be the agent of a node until SIGTERM; its containers run on.

    `server` is a descriptor whose end of file tells that the server takes requests.
    """
    set_process_name("sampan-agent")
    log_files.log_to_file(instance, log_files.node_component("agent", number))
    settings = agent_settings(instance, number, machine_facts())
    run_until_terminated(lambda stop: _run(settings, server, stop))


async def _run(settings: AgentSettings, server: int | None, stop: asyncio.Event) -> None:
    engine = await _open_engine(settings.instance, settings.node_number)
    member = Member(
        engine,
        settings.node_name,
        settings.run_folder / "engine" / "engine.sock",
        settings.instance.run_folder / _MACHINE_SOCKET,
    )
    pair = KeyPairPaths(settings.certificate_file, settings.key_file)
    context = client_context(settings.authority_file, pair)
    client = ApiClient(HttpsTransport(settings.api_server, context), user_agent="kubelet")
    try:
        await member.start()
        await end_of_file(server, stop)
        await run_agent(
            settings,
            client=client,
            engine=engine,
            networks=network_parts,
            groups=control_groups(),
            stop=stop,
        )
    finally:
        await client.close()
        await member.close()
        await engine.close()


def network_parts(network: NodeNetwork) -> NetworkParts:
    """The mechanisms of a node's network, over one ruleset."""
    ruleset = Ruleset()
    return NetworkParts(
        pods=PodNetworks(network, ruleset),
        rules=KernelServiceRules(network, ruleset),
        names=DnsProcess(network),
    )


def agent_settings(instance: Instance, number: int, facts: MachineFacts) -> AgentSettings:
    """What the agent of a node is told; the machine's capacity is shared out evenly."""
    name, role = name_in_cluster(instance, number), node_name(number)
    nodes = max(1, len(NodeList(node_list_path(instance)).entries))
    now = datetime.now(UTC)
    credentials = prepare(instance.configuration_folder / "pki", instance, now)
    own = credentials.node_credentials(number, name, now)
    is_machine = number == MACHINE_NODE
    return AgentSettings(
        instance=instance,
        node_name=name,
        node_number=number,
        node_address=instance.node_address(number),
        node_device=(
            private_bridge.bridge_name(instance) if is_machine else private_bridge.NODE_DEVICE
        ),
        state_folder=instance.state_folder / "nodes" / role,
        run_folder=instance.run_folder / "nodes" / role,
        api_server=f"https://{instance.node_address(MACHINE_NODE)}:{instance.api_port}",
        authority_file=credentials.authority,
        certificate_file=own.client.certificate,
        key_file=own.client.key,
        serving_certificate_file=own.server.certificate,
        serving_key_file=own.server.key,
        cpu_millis=facts.processors * 1000 // nodes,
        memory=facts.memory // nodes,
        ephemeral_storage=_disk_size(instance) // nodes,
        architecture=facts.architecture,
        operating_system_image=facts.operating_system,
        kernel_version=facts.kernel_release,
        machine_identifier=facts.machine_identifier,
        boot_identifier=facts.boot_identifier,
        version=f"{KUBERNETES_VERSION}+sampan.{__version__}",
    )


def _disk_size(instance: Instance) -> int:
    disk = os.statvfs(instance.state_folder)
    return disk.f_blocks * disk.f_frsize


async def _open_engine(instance: Instance, number: int) -> ContainerEngine:
    name = node_name(number)
    images = ImageClient(instance.run_folder / _MACHINE_SOCKET)
    return await ContainerEngine.open(
        instance.state_folder / "nodes" / name / "engine",
        instance.run_folder / "nodes" / name / "engine",
        images,
    )


def stop_containers(instance: Instance, number: int) -> None:
    """End every container of a node whose agent has ended, each by its own stop signal."""
    log_files.log_to_file(instance, log_files.node_component("agent", number))
    run_until_terminated(lambda _stop: _stop_containers(instance, number))


async def _stop_containers(instance: Instance, number: int) -> None:
    engine = await _open_engine(instance, number)
    running = [status for status in await engine.containers() if status.phase == "running"]
    _log.info("stopping %d containers", len(running))
    await asyncio.gather(
        *(engine.stop(status.identifier, STOP_GRACE_SECONDS) for status in running)
    )
    await engine.close()
