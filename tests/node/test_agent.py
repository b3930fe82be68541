"""A whole agent over fakes of engine and network, against the real API in the same process."""

import asyncio
import json
import ssl
import time
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from random import Random

import pytest

from sampan.control.api.server import ApiServer
from sampan.control.api.settings import settings_of
from sampan.foundation.pki.authority import generate_key
from sampan.foundation.pki.cluster import prepare
from sampan.foundation.pki.contexts import client_context
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.settings import Instance
from sampan.foundation.wire.http_client import HttpsTransport
from sampan.foundation.wire.message import Identity, Request
from sampan.kubernetes.client.api_client import ApiClient
from sampan.kubernetes.kinds.resource import EVENTS, NODES, PODS, SERVICE_ACCOUNTS, SERVICES
from sampan.network.contract import Endpoint
from sampan.node.agent import NetworkParts, run_agent
from sampan.node.settings import AgentSettings
from sampan.store.memory import MemoryStore

ADDRESS = IPv4Address("127.77.0.1")
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {
        "nodeName": "node-1",
        "serviceAccountName": "default",
        "automountServiceAccountToken": False,
        "containers": [{"name": "main", "image": "hello"}],
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "shop"},
    "spec": {"ports": [{"port": 80}]},
}


class Rules:
    def __init__(self):
        self.services = {}

    async def apply(self, services):
        self.services = dict(services)

    async def forget_unanswered(self):
        return None

    async def restore(self):
        return False


class Names:
    def __init__(self):
        self.addresses = {}

    async def start(self):
        pass

    async def publish(self, changed, removed=()):
        self.addresses.update(changed.addresses)
        for name in removed:
            self.addresses.pop(name, None)

    async def stop(self):
        pass


async def eventually(probe):
    """The first true result, within some seconds."""
    async with asyncio.timeout(5):
        while not (result := await probe()):  # noqa: ASYNC110 - a whole world settles
            await asyncio.sleep(0.005)
    return result


class World:
    """An API, and an agent of node-1 that may be started and ended."""

    def __init__(self, folder, fakes):
        self.instance = Instance()
        self.credentials = prepare(folder / "pki", self.instance, datetime.now(UTC))
        self.folder = folder
        self.engine = fakes.engine(time.time)
        self.engine.load("hello")
        self.network = fakes.network()
        self.peers = ()
        self.network.start = self.network.close = self._nothing
        self.network.set_peers = self._set_peers
        self.groups = fakes.groups()
        self.rules, self.names = Rules(), Names()
        self.facts = None
        self.stop = asyncio.Event()
        self.agent = None

    async def _nothing(self):
        pass

    async def _set_peers(self, peers):
        self.peers = peers

    async def start_server(self):
        settings = settings_of(self.instance)
        self.api = ApiServer.create(
            MemoryStore(),
            settings=settings,
            signer=TokenSigner(generate_key(), settings.issuer),
            clock=lambda: datetime.now(UTC),
            random=Random(1),
        )
        await self.api.start()
        groups = ("system:masters", "system:authenticated")
        self.admin = ApiClient(self.api.transport(Identity("admin", groups)))
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        await self.admin.create(SERVICE_ACCOUNTS, account, "default")

    def start_agent(self):
        self.stop.clear()
        identity = Identity("system:node:node-1", ("system:nodes", "system:authenticated"))
        self.agent = asyncio.create_task(
            run_agent(
                self.settings(),
                client=ApiClient(self.api.transport(identity)),
                engine=self.engine,
                networks=self._networks,
                groups=self.groups,
                stop=self.stop,
                prepare_memory=lambda folder, size: folder.mkdir(parents=True, exist_ok=True),
            )
        )

    def _networks(self, facts):
        self.facts = facts
        return NetworkParts(self.network, self.rules, self.names)

    def settings(self):
        own = self.credentials.node_credentials(1, "node-1", datetime.now(UTC))
        return AgentSettings(
            instance=self.instance,
            node_name="node-1",
            node_number=1,
            node_address=ADDRESS,
            node_device="nodes",
            state_folder=self.folder / "state",
            run_folder=self.folder / "run",
            api_server="",
            authority_file=self.credentials.authority,
            certificate_file=own.client.certificate,
            key_file=own.client.key,
            serving_certificate_file=own.server.certificate,
            serving_key_file=own.server.key,
            cpu_millis=2000,
            memory=4 << 30,
        )

    async def node(self):
        return json.loads(await self.admin.get(NODES, "node-1"))

    async def is_ready(self):
        found = (await self.node()).get("status", {}).get("conditions", [])
        return any(item["type"] == "Ready" and item["status"] == "True" for item in found)

    async def give_range(self):
        async def registered():
            return (await self.admin.list(NODES)).items

        await eventually(registered)
        spec = {"podCIDR": "10.42.0.0/24", "podCIDRs": ["10.42.0.0/24"]}
        await self.admin.patch(NODES, "node-1", {"spec": spec})

    async def begin(self):
        await self.start_server()
        self.start_agent()
        await self.give_range()
        await eventually(self.is_ready)

    async def end_agent(self):
        self.stop.set()
        await self.agent

    async def end(self):
        await self.end_agent()
        await self.api.close()

    async def pod_phase(self):
        pods = (await self.admin.list(PODS)).items
        return json.loads(pods[0]).get("status", {}).get("phase") if pods else "gone"


@pytest.fixture
def in_world(tmp_path, fakes):
    """Tell a story in a world whose agent is ready."""

    def run(story):
        async def whole():
            world = World(tmp_path, fakes)
            await world.begin()
            try:
                await story(world)
            finally:
                await world.end()

        asyncio.run(whole())

    return run


def test_a_node_is_ready_when_its_network_is_there(in_world):
    async def story(world):
        assert world.facts.pod_subnet == IPv4Network("10.42.0.0/24")
        node = await world.node()
        assert node["status"]["addresses"][0] == {"type": "InternalIP", "address": "127.77.0.1"}

    in_world(story)


def test_a_pod_runs_is_told_of_and_goes(in_world):
    async def story(world):
        await world.admin.create(PODS, POD, "default")

        async def runs():
            return await world.pod_phase() == "Running"

        await eventually(runs)

        async def told():
            events = (await world.admin.list(EVENTS, "default")).items
            return {json.loads(item)["reason"] for item in events} >= {"Created", "Started"}

        await eventually(told)
        await world.admin.delete(PODS, "web", "default")

        async def gone():
            return await world.pod_phase() == "gone"

        await eventually(gone)
        assert world.engine.statuses == {}
        assert world.network.attached == {}

    in_world(story)


def test_services_become_rules_and_names(in_world):
    async def story(world):
        await world.admin.create(SERVICES, SERVICE, "default")

        async def served():
            return "default/shop:80/tcp" in world.rules.services

        await eventually(served)

        async def named():
            return "shop.default.svc.cluster.local" in world.names.addresses

        await eventually(named)
        dns = world.rules.services["kube-system/kube-dns:53/udp"]
        assert dns.endpoints == (Endpoint(IPv4Address("10.42.0.1"), 53),)

    in_world(story)


def test_other_nodes_become_peers(in_world):
    async def story(world):
        other = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-2"}}
        spec = {"podCIDR": "10.42.1.0/24", "podCIDRs": ["10.42.1.0/24"]}
        await world.admin.create(NODES, other | {"spec": spec})
        addresses = [{"type": "InternalIP", "address": "10.44.0.2"}]
        status = {"status": {"addresses": addresses}}
        await world.admin.patch(NODES, "node-2", status, subresource="status")

        async def met():
            return [peer.name for peer in world.peers] == ["node-2"]

        await eventually(met)

    in_world(story)


def test_containers_outlive_their_agent(in_world):
    async def story(world):
        await world.admin.create(PODS, POD, "default")

        async def runs():
            return await world.pod_phase() == "Running"

        await eventually(runs)
        await world.end_agent()
        before = world.engine.running()
        world.engine._callbacks.clear()
        world.start_agent()
        await eventually(world.is_ready)
        assert world.engine.running() == before != []

    in_world(story)


def test_what_a_deleted_pod_left_is_taken_away(in_world):
    async def story(world):
        await world.admin.create(PODS, POD, "default")

        async def runs():
            return await world.pod_phase() == "Running"

        await eventually(runs)
        await world.end_agent()
        world.engine._callbacks.clear()
        await world.admin.delete(PODS, "web", "default", grace_seconds=0)
        world.start_agent()

        async def nothing_left():
            folders = [world.folder / "state/logs", world.folder / "run/pods"]
            left = [item for folder in folders if folder.exists() for item in folder.iterdir()]
            return not (world.engine.statuses or world.network.attached or left)

        await eventually(nothing_left)

    in_world(story)


def test_the_nodes_api_wants_a_certificate(in_world):
    async def ask(context):
        context.check_hostname = False
        transport = HttpsTransport(f"https://{ADDRESS}:10250", context)
        try:
            answer = await transport.send(Request(method="GET", path="/healthz"))
            return answer.status
        finally:
            await transport.close()

    async def story(world):
        authority = world.credentials.authority
        assert await ask(client_context(authority, world.credentials.kubelet_client)) == 200
        own = world.credentials.node_credentials(1, "node-1", datetime.now(UTC))
        assert await ask(client_context(authority, own.client)) == 403
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await ask(client_context(authority))

    in_world(story)
