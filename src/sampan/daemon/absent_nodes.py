"""Nodes that this machine no longer has are taken out of the cluster.

A cluster that was taken down with three nodes and is started again with one would otherwise
keep two that never come back, and pods that nobody can end.
"""

import logging
import re
from collections.abc import Iterable

import msgspec

from sampan.kubernetes.client.contract import Client, NotFound
from sampan.kubernetes.kinds.resource import NODES
from sampan.kubernetes.machinery.metadata import Metadata

_log = logging.getLogger(__name__)


class _Node(msgspec.Struct, frozen=True):
    metadata: Metadata


async def remove_absent_nodes(client: Client, present: Iterable[str], prefix: str) -> None:
    """Delete the Node objects of this machine, whose names begin with its prefix, that are not
    in `present`. Raises ApiError."""
    names, own = set(present), re.compile(re.escape(prefix) + r"node-[1-9][0-9]*")
    for item in (await client.list(NODES)).items:
        node = msgspec.json.decode(item, type=_Node)
        name = node.metadata.name
        if name in names or not own.fullmatch(name):
            continue
        _log.info("this machine has no %s any more", name)
        try:
            await client.delete(NODES, name, uid=node.metadata.uid)
        except NotFound:
            continue
