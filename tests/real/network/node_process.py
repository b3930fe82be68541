"""A node of the test network: a process in namespaces of its own that does what it is told.

It reads one JSON list `[method, argument]` a line and answers each with one line. When its
input ends it ends, and the kernel takes its namespaces, mounts and rules away.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from sampan.host.mounts import mount_sysfs, stop_propagation
from sampan.host.namespaces import NamespaceKind, unshare
from sampan.host.nftables import Nftables
from sampan.host.sysctl import set_sysctl
from sampan.network.contract import DnsRecords, NodeNetwork, Peer, ServicePort
from sampan.network.dns_process import DnsProcess
from sampan.network.pods import PodNetworks
from sampan.network.ruleset import Ruleset
from sampan.network.services import KernelServiceRules


def enter_namespaces() -> None:
    unshare(NamespaceKind.NETWORK | NamespaceKind.MOUNT)
    stop_propagation()
    mount_sysfs()


def from_json(value: Any, kind: Any) -> Any:
    return msgspec.convert(value, kind, dec_hook=lambda kind, text: kind(text))


class Node:
    """The methods that a test calls by name."""

    def configure(self, argument: Any) -> None:
        self.network = from_json(argument, NodeNetwork)
        self.ruleset = Ruleset()
        self.pods = PodNetworks(self.network, self.ruleset, ready=2)
        self.services = KernelServiceRules(self.network, self.ruleset)

    async def reopen(self, _: Any) -> None:
        """What the next agent does after this one was killed."""
        await self.pods.close()
        self.configure(msgspec.to_builtins(self.network, enc_hook=str))
        await self.pods.start()

    async def names(self, resolver_files: list[str]) -> None:
        self.dns = DnsProcess(self.network, resolver_files=[Path(each) for each in resolver_files])
        await self.dns.start()

    async def publish(self, argument: Any) -> None:
        changed, removed = argument
        await self.dns.publish(from_json(changed, DnsRecords), tuple(removed))

    async def stop_names(self, _: Any) -> None:
        await self.dns.stop()

    async def start(self, _: Any) -> None:
        await self.pods.start()

    async def attach(self, identifier: str) -> Any:
        attachment = await self.pods.attach(identifier)
        return {"address": str(attachment.address), "path": str(attachment.namespace)}

    async def detach(self, identifier: str) -> None:
        await self.pods.detach(identifier)

    def attachments(self, _: Any) -> Mapping[str, str]:
        return {name: str(found.address) for name, found in self.pods.attachments().items()}

    async def set_peers(self, argument: Any) -> None:
        await self.pods.set_peers(from_json(argument, tuple[Peer, ...]))

    async def apply(self, argument: Any) -> None:
        await self.services.apply(from_json(argument, dict[str, ServicePort]))

    async def forget_unanswered(self, _: Any) -> float | None:
        return await self.services.forget_unanswered()

    async def restore(self, _: Any) -> bool:
        return await self.services.restore()

    def nft(self, commands: str) -> str:
        with Nftables() as nftables:
            return nftables.run(commands)

    def sysctl(self, argument: Any) -> bool:
        return set_sysctl(*argument)

    async def stop(self, _: Any) -> None:
        await self.pods.stop()

    async def close(self, _: Any) -> None:
        await self.pods.close()


async def serve() -> None:
    node = Node()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        method, argument = json.loads(line)
        try:
            result = getattr(node, method)(argument)
            if asyncio.iscoroutine(result):
                result = await result
            answer = {"result": result}
        except Exception as error:  # noqa: BLE001 - the test that asked is told
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.flush()


if __name__ == "__main__":
    enter_namespaces()
    sys.stdout.write(json.dumps({"result": str(Path("/proc/self").resolve().name)}) + "\n")
    sys.stdout.flush()
    asyncio.run(serve())
