"""The options of `sampan build` that go to the engine as they are, or nearly."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from sampan.faces.cli.engine.option_values import size, size_or_unlimited, ulimit

_NUMBERS = {"cpu_period": "cpuperiod", "cpu_quota": "cpuquota", "cpu_shares": "cpushares"}
_TEXTS = {
    "cgroup_parent": "cgroupparent",
    "cpuset_cpus": "cpusetcpus",
    "cpuset_mems": "cpusetmems",
    "isolation": "isolation",
    "network": "networkmode",
    "platform": "platform",
    "target": "target",
}
_SIZES: dict[str, tuple[str, Callable[[str], int]]] = {
    "memory": ("memory", size),
    "memory_swap": ("memswap", size_or_unlimited),
    "shm_size": ("shmsize", size),
}
_OPTIONS = (
    click.option("--target", default="", help="The stage to stop at."),
    click.option("--platform", default="", help="For which system."),
    click.option("--no-cache", "nocache", is_flag=True, help="Take nothing from earlier builds."),
    click.option("--pull", is_flag=True, help="Look for newer images to begin with."),
    click.option("--network", default="", help="What RUN may reach: default, none or host."),
    click.option("--add-host", "hosts", multiple=True, metavar="NAME:ADDRESS"),
    click.option(
        "--cache-from", "caches", multiple=True, help="An image that steps may come from."
    ),
    click.option("--cgroup-parent", default=""),
    click.option("--cpu-period", type=int, default=0),
    click.option("--cpu-quota", type=int, default=0),
    click.option("-c", "--cpu-shares", type=int, default=0),
    click.option("--cpuset-cpus", default=""),
    click.option("--cpuset-mems", default=""),
    click.option("-m", "--memory", default="", help="At most so much memory for a step."),
    click.option("--memory-swap", default=""),
    click.option("--shm-size", default=""),
    click.option("--ulimit", "ulimits", multiple=True, metavar="NAME=SOFT[:HARD]"),
    click.option("--security-opt", "security", multiple=True),
    click.option("--isolation", default=""),
    click.option("--squash", is_flag=True, help="One layer for all that the steps made."),
    click.option("--rm/--no-rm", "rm", default=True, help="Remove steps' containers."),
    click.option("--force-rm", "forcerm", is_flag=True, help="Also after a failure."),
    # Contexts go over a socket of this machine.
    click.option("--compress", is_flag=True, hidden=True),
    click.option("--disable-content-trust", is_flag=True, default=True, hidden=True),
)


def with_engine_options(command: Any) -> Any:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def engine_query(options: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of `POST /build`. Raises BadParameter."""
    query: dict[str, Any] = {name: options[name] for name in ("nocache", "pull", "rm", "forcerm")}
    query |= {field: options[name] or None for name, field in (_NUMBERS | _TEXTS).items()}
    query["squash"] = options["squash"] or None
    query["extrahosts"] = ",".join(options["hosts"]) or None
    query["cachefrom"] = _listed(options["caches"])
    query["securityopt"] = _listed(options["security"])
    for name, (field, read) in _SIZES.items():
        query[field] = _read(read, options[name], name) if options[name] else None
    query["ulimits"] = _listed([_read(ulimit, text, "ulimit") for text in options["ulimits"]])
    return query


def _read(read: Callable[[str], Any], text: str, name: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        hint = f"--{name.replace('_', '-')}"
        raise click.BadParameter(f"{text!r} is not a valid value", param_hint=hint) from error


def _listed(found: Any) -> str | None:
    import json

    return json.dumps(list(found)) if found else None
