"""Arguments that name what the engine has, and what a shell completes them to."""

from collections.abc import Callable, Iterable
from typing import Any

import click

from sampan.faces.cli.engine.api_client import (
    EngineClient,
    EngineRefused,
    EngineUnreachable,
    Query,
)

Completion = Callable[[click.Context, click.Parameter, str], list[str]]
_MOST = 500


def _completion(
    path: str, query: Query | None, names: Callable[[Any], Iterable[str]]
) -> Completion:
    """What starts with the word that was begun, and does not stand in the command already."""

    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
        client = EngineClient(context.find_root().params["name"])
        try:
            found = client.document("GET", path, query)
        except (EngineRefused, EngineUnreachable, ConnectionError):
            # A shell that is asked for words has nowhere to show why there are none.
            return []
        given = context.params.get(parameter.name or "") or ()
        return [it for it in sorted(set(names(found))) if it.startswith(begun) and it not in given][
            :_MOST
        ]

    return complete


def _container_names(found: Any) -> Iterable[str]:
    return [name.lstrip("/") for container in found for name in container["Names"]]


def _image_names(found: Any) -> Iterable[str]:
    """With and without the tag that may be left out."""
    names = [name for image in found for name in image["RepoTags"] or ()]
    return [*names, *(name.removesuffix(":latest") for name in names)]


def _names(found: Any) -> Iterable[str]:
    return [item["Name"] for item in found]


def _volume_names(found: Any) -> Iterable[str]:
    return _names(found["Volumes"] or ())


complete_running = _completion("/containers/json", None, _container_names)
complete_containers = _completion("/containers/json", {"all": True}, _container_names)
complete_images = _completion("/images/json", None, _image_names)
complete_networks = _completion("/networks", None, _names)
complete_volumes = _completion("/volumes", None, _volume_names)


def complete_all(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Names of anything that `inspect` shows."""
    every = (complete_containers, complete_images, complete_networks, complete_volumes)
    return [name for complete in every for name in complete(context, parameter, begun)]


RUNNING_CONTAINER = click.argument("name", shell_complete=complete_running)
CONTAINER = click.argument("name", shell_complete=complete_containers)
RUNNING_CONTAINERS = click.argument(
    "names", nargs=-1, required=True, shell_complete=complete_running
)
CONTAINERS = click.argument("names", nargs=-1, required=True, shell_complete=complete_containers)
IMAGE = click.argument("name", shell_complete=complete_images)
IMAGES = click.argument("names", nargs=-1, required=True, shell_complete=complete_images)
