"""`system df`: how much room images, containers, volumes and builds take."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
import msgspec

from sampan.faces.cli.engine.asking import engine
from sampan.faces.cli.engine.container_rows import CONTAINERS, container_row
from sampan.faces.cli.engine.human_values import age, short, size
from sampan.faces.cli.engine.image_rows import IMAGES, image_rows
from sampan.faces.cli.engine.listing import Kind, lines, with_template
from sampan.faces.cli.session import Session
from sampan.faces.cli.templates.values import Record

_KINDS = Kind(
    table="{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
    headings={
        "Type": "TYPE",
        "TotalCount": "TOTAL",
        "Active": "ACTIVE",
        "Size": "SIZE",
        "Reclaimable": "RECLAIMABLE",
    },
)
_IMAGES = Kind(
    table="{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}"
    "\t{{.UniqueSize}}\t{{.Containers}}",
    headings=IMAGES.headings,
)
_CONTAINERS = Kind(
    table="{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}"
    "\t{{.Status}}\t{{.Names}}",
    headings=CONTAINERS.headings,
)
_VOLUMES = Kind(
    table="{{.Name}}\t{{.Links}}\t{{.Size}}",
    headings={"Name": "VOLUME NAME", "Links": "LINKS", "Size": "SIZE"},
)
_CACHE = Kind(
    table="{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}"
    "\t{{.UsageCount}}\t{{.Shared}}",
    headings={
        "ID": "CACHE ID",
        "CacheType": "CACHE TYPE",
        "Size": "SIZE",
        "CreatedSince": "CREATED",
        "LastUsedSince": "LAST USED",
        "UsageCount": "USAGE",
        "Shared": "SHARED",
    },
)
_ACTIVE = ("running", "paused", "restarting")


class _Usage(msgspec.Struct, frozen=True, kw_only=True):
    """How many there are and are in use, and their bytes."""

    name: str
    total: int
    active: int
    size: int
    reclaimable: int

    def row(self) -> Record:
        share = ""
        if self.size > 0 and self.name != "Build Cache":
            share = f" ({self.reclaimable * 100 // self.size}%)"
        return Record(
            {
                "Type": self.name,
                "TotalCount": str(self.total),
                "Active": str(self.active),
                "Size": size(self.size, 4),
                "Reclaimable": size(self.reclaimable, 4) + share,
            }
        )


@click.command(help="Show how much room images, containers, volumes and builds take.")
@click.option("-v", "--verbose", "detailed", is_flag=True, help="Each of them.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@with_template
@click.pass_obj
def df(session: Session, /, *, detailed: bool, output: str, template: str) -> None:
    if detailed and template:
        raise click.UsageError("the verbose and the format options conflict")
    with engine(session) as client:
        found = client.document("GET", "/v1.43/system/df")
    if output == "json":
        click.echo(json.dumps(found))
    elif detailed:
        click.echo("\n".join(_details(found)))
    else:
        for line in lines([usage.row() for usage in usages(found)], _KINDS, template):
            click.echo(line)


def usages(found: Mapping[str, Any]) -> list[_Usage]:
    """What the engine tells, by kinds, as docker counts it. Pure."""
    return [
        _images(found["Images"] or (), found["LayersSize"] or 0),
        _counted(
            "Containers",
            [(it["State"] in _ACTIVE, it.get("SizeRw") or 0) for it in found["Containers"] or ()],
        ),
        _counted(
            "Local Volumes",
            [
                (it["UsageData"]["RefCount"] > 0, max(it["UsageData"]["Size"], 0))
                for it in found["Volumes"] or ()
            ],
        ),
        _counted(
            "Build Cache",
            [(it["InUse"], 0 if it["Shared"] else it["Size"]) for it in found["BuildCache"] or ()],
        ),
    ]


def _images(images: Sequence[Mapping[str, Any]], layers: int) -> _Usage:
    used = [image for image in images if image["Containers"]]
    held = sum(image["Size"] - max(image["SharedSize"], 0) for image in used)
    return _Usage(
        name="Images",
        total=len(images),
        active=len(used),
        size=layers,
        reclaimable=max(layers - held, 0),
    )


def _counted(name: str, found: Sequence[tuple[bool, int]]) -> _Usage:
    return _Usage(
        name=name,
        total=len(found),
        active=sum(active for active, _ in found),
        size=sum(taken for _, taken in found),
        reclaimable=sum(taken for active, taken in found if not active),
    )


def _details(found: Mapping[str, Any]) -> Iterator[str]:
    now = time.time()
    images = [row for image in found["Images"] or () for row in image_rows(image, now, whole=False)]
    containers = [container_row(it, now, whole=False) for it in found["Containers"] or ()]
    volumes = [_volume(it) for it in found["Volumes"] or ()]
    cache = [_cached(it, now) for it in found["BuildCache"] or ()]
    yield from ("Images space usage:", "", *lines(images, _IMAGES, ""))
    yield from ("", "Containers space usage:", "", *lines(containers, _CONTAINERS, ""))
    yield from ("", "Local Volumes space usage:", "", *lines(volumes, _VOLUMES, ""))
    taken = size(usages(found)[-1].size)
    yield from ("", f"Build cache usage: {taken}", "", *lines(cache, _CACHE, ""))


def _volume(volume: Mapping[str, Any]) -> Record:
    usage = volume["UsageData"]
    return Record(
        {"Name": volume["Name"], "Links": str(usage["RefCount"]), "Size": size(usage["Size"], 4)}
    )


def _cached(record: Mapping[str, Any], now: float) -> Record:
    return Record(
        {
            "ID": short(record["ID"]),
            "CacheType": record["Type"],
            "Size": size(record["Size"]),
            "CreatedSince": _age(record["CreatedAt"], now),
            "LastUsedSince": _age(record.get("LastUsedAt"), now),
            "UsageCount": str(record["UsageCount"]),
            "Shared": str(record["Shared"]).lower(),
        }
    )


def _age(moment: str | None, now: float) -> str:
    """Of a time in RFC 3339, "" for none."""
    if not moment:
        return ""
    return age(now - datetime.fromisoformat(moment).timestamp())
