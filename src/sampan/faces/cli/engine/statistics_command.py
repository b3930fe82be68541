"""`stats`: what containers use, as it changes."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click

from sampan.faces.cli.engine.api_client import EngineClient, EngineRefused
from sampan.faces.cli.engine.asking import engine
from sampan.faces.cli.engine.human_values import binary_size, short, size
from sampan.faces.cli.engine.listing import WHOLE, Kind, lines, with_template
from sampan.faces.cli.engine.names import complete_running
from sampan.faces.cli.session import Session
from sampan.faces.cli.templates.values import Record

_KIND = Kind(
    table="{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}"
    "\t{{.BlockIO}}\t{{.PIDs}}",
    headings={
        "ID": "CONTAINER ID",
        "Container": "CONTAINER",
        "Name": "NAME",
        "CPUPerc": "CPU %",
        "MemUsage": "MEM USAGE / LIMIT",
        "MemPerc": "MEM %",
        "NetIO": "NET I/O",
        "BlockIO": "BLOCK I/O",
        "PIDs": "PIDS",
    },
)
# A sample takes the engine a second: all are taken at once.
_SAMPLERS = 32
_INACTIVE_FILES = ("total_inactive_file", "inactive_file")


@click.command(help="Show what containers use, as it changes.")
@click.option("-a", "--all", "everything", is_flag=True, help="Also those that don't run.")
@click.option("--no-stream", is_flag=True, help="Once only.")
@WHOLE
@with_template
@click.argument("names", nargs=-1, shell_complete=complete_running)
@click.pass_obj
def stats(
    session: Session,
    /,
    *,
    names: tuple[str, ...],
    everything: bool,
    no_stream: bool,
    whole: bool,
    template: str,
) -> None:
    with engine(session) as client, ThreadPoolExecutor(_SAMPLERS) as samplers:
        for name in names:
            client.document("GET", f"/containers/{name}/json")
        while True:
            wanted = names or _listed(client, everything=everything)
            taken = samplers.map(lambda name: _sample(client, name), wanted)
            found = [
                statistics_row(name, sample, whole=whole)
                for name, sample in zip(wanted, taken, strict=True)
                if sample is not None
            ]
            shown = lines(found, _KIND, template)
            if not no_stream:
                click.clear()
            click.echo("\n".join(shown))
            if no_stream:
                return


def _listed(client: EngineClient, *, everything: bool) -> Sequence[str]:
    return [it["Id"] for it in client.document("GET", "/containers/json", {"all": everything})]


def _sample(client: EngineClient, name: str) -> Any:
    """None for a container that has gone meanwhile."""
    try:
        return client.document("GET", f"/containers/{name}/stats", {"stream": False})
    except EngineRefused:
        return None


def statistics_row(name: str, sample: Mapping[str, Any], *, whole: bool) -> Record:
    """A sample as docker shows it. Pure."""
    memory = sample.get("memory_stats") or {}
    used, limit = _memory_used(memory), memory.get("limit") or 0
    networks = (sample.get("networks") or {}).values()
    received, sent = (sum(it[f"{way}_bytes"] for it in networks) for way in ("rx", "tx"))
    read, written = _blocks(sample)
    identifier = str(sample["id"])
    return Record(
        {
            "Container": name,
            "ID": identifier if whole else short(identifier),
            "Name": str(sample["name"]).lstrip("/"),
            "CPUPerc": f"{_cpu_share(sample):.2f}%",
            "MemUsage": f"{binary_size(used)} / {binary_size(limit)}",
            "MemPerc": f"{used * 100 / limit if limit else 0:.2f}%",
            "NetIO": f"{size(received)} / {size(sent)}",
            "BlockIO": f"{size(read)} / {size(written)}",
            "PIDs": str((sample.get("pids_stats") or {}).get("current", 0)),
        }
    )


def _cpu_share(sample: Mapping[str, Any]) -> float:
    """Percent of one processor."""
    now, before = sample["cpu_stats"], sample["precpu_stats"]
    spent = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    passed = (now.get("system_cpu_usage") or 0) - (before.get("system_cpu_usage") or 0)
    return spent / passed * (now.get("online_cpus") or 1) * 100 if passed > 0 else 0.0


def _memory_used(memory: Mapping[str, Any]) -> int:
    """Without files that nobody has looked at lately: the kernel lets go of them at need."""
    used, details = int(memory.get("usage") or 0), memory.get("stats") or {}
    inactive = next((details[name] for name in _INACTIVE_FILES if name in details), 0)
    return used - inactive if inactive < used else used


def _blocks(sample: Mapping[str, Any]) -> tuple[int, int]:
    found = (sample.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ()
    read, written = (
        sum(it["value"] for it in found if it["op"].lower() == way) for way in ("read", "write")
    )
    return read, written
