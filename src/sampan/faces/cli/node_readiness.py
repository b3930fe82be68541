"""Waiting for nodes to be Ready, as any user of the API would see it: by a watch.

Written with the standard library alone, since the API's full client takes longer to import than
a node takes to start. The credentials are those of the administrator's kubeconfig.
"""

import base64
import http.client
import json
import os
import ssl
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import click

from sampan.foundation.instance_name import command_prefix
from sampan.foundation.settings import Instance


class NotReadyInTime(Exception):
    """Some nodes were not Ready when the time was over; the message is their names."""

    def __init__(self, names: set[str]) -> None:
        super().__init__(", ".join(sorted(names)))


def demand_ready(instance: Instance, nodes: dict[str, float], timeout: float) -> None:
    """As `wait_until_ready`; raises ClickException with what to look at."""
    try:
        wait_until_ready(instance, nodes, timeout)
        return
    except NotReadyInTime as failure:
        problem = f"not Ready after {timeout:g} s: {failure}"
    except OSError as failure:
        problem = f"the API server can't be reached: {failure}"
    raise click.ClickException(
        f"{problem}; see `{command_prefix(instance.name)} status` "
        f"and the logs in {instance.state_folder / 'log'}"
    )


def wait_until_ready(instance: Instance, nodes: dict[str, float], timeout: float) -> None:
    """`nodes` gives each name and since when the node runs; what it said of itself before that
    does not count. Raises NotReadyInTime, OSError when the API can't be reached."""
    waiting = set(nodes)
    deadline = time.monotonic() + timeout
    connection = _connect(instance, timeout)
    try:
        for event in _events(connection, "/api/v1/nodes?watch=1"):
            node = event["object"]
            name = node["metadata"]["name"]
            if is_ready(node) and _heard(node) >= int(nodes.get(name, 0)):
                waiting.discard(name)
            if not waiting:
                return
            if time.monotonic() > deadline:
                raise NotReadyInTime(waiting)
    except TimeoutError:
        raise NotReadyInTime(waiting) from None
    except http.client.HTTPException as failure:
        raise ConnectionError(f"the watch of nodes broke off: {failure!r}") from failure
    finally:
        connection.close()
    raise NotReadyInTime(waiting)


def ready_nodes(instance: Instance, timeout: float = 5) -> dict[str, bool]:
    """Each node that the API knows, and whether it is Ready. Raises OSError."""
    connection = _connect(instance, timeout)
    try:
        connection.request("GET", "/api/v1/nodes")
        answer = connection.getresponse()
        body = json.loads(answer.read())
    finally:
        connection.close()
    return {node["metadata"]["name"]: is_ready(node) for node in body.get("items", [])}


def is_ready(node: dict[str, Any]) -> bool:
    """Whether a Node's condition Ready is True."""
    conditions = node.get("status", {}).get("conditions", [])
    return any(
        condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions
    )


def _heard(node: dict[str, Any]) -> float:
    """When the node last wrote its condition Ready, in seconds since the epoch."""
    for condition in node["status"]["conditions"]:
        if condition["type"] == "Ready":
            written = datetime.fromisoformat(condition["lastHeartbeatTime"])
            return written.timestamp()
    return 0.0


def _events(connection: http.client.HTTPSConnection, path: str) -> Iterator[dict[str, Any]]:
    connection.request("GET", path)
    answer = connection.getresponse()
    if answer.status != http.HTTPStatus.OK:
        raise OSError(f"the API answered {answer.status} to {path}")
    for line in answer:
        yield json.loads(line)


def _connect(instance: Instance, timeout: float) -> http.client.HTTPSConnection:
    document = json.loads(instance.kubeconfig.read_bytes())
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    context = ssl.create_default_context(cadata=_decoded(cluster, "certificate-authority-data"))
    pair = _decoded(user, "client-certificate-data") + _decoded(user, "client-key-data")
    # The ssl module loads a key from a file only; this one exists in memory, for ourselves.
    descriptor = os.memfd_create("administrator", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, pair.encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    url = urlsplit(cluster["server"])
    return http.client.HTTPSConnection(
        url.hostname or "", url.port, timeout=timeout, context=context
    )


def _decoded(section: dict[str, str], key: str) -> str:
    return base64.b64decode(section[key]).decode()
