"""The fields that images and their steps have in lists, as docker names and writes them. Pure."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from sampan.faces.cli.engine.human_values import age, cut, local_time, short, size
from sampan.faces.cli.engine.listing import Kind
from sampan.faces.cli.templates.values import Record

_NONE = "<none>"
_UNKNOWN = "N/A"
_HEADINGS = {
    "ID": "IMAGE ID",
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "VirtualSize": "SIZE",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
    "Containers": "CONTAINERS",
}
_END = "{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
IMAGES = Kind(table=f"{{{{.Repository}}}}\t{{{{.Tag}}}}\t{_END}", headings=_HEADINGS, name="Name")
IMAGES_WITH_DIGESTS = Kind(
    table=f"{{{{.Repository}}}}\t{{{{.Tag}}}}\t{{{{.Digest}}}}\t{_END}",
    headings=_HEADINGS,
    name="Name",
)
_STEP_HEADINGS = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
}
_STEP = "{{{{.ID}}}}\t{{{{.{}}}}}\t{{{{.CreatedBy}}}}\t{{{{.Size}}}}\t{{{{.Comment}}}}"
STEPS = Kind(table=_STEP.format("CreatedSince"), headings=_STEP_HEADINGS, name="ID")
EXACT_STEPS = Kind(table=_STEP.format("CreatedAt"), headings=_STEP_HEADINGS, name="ID")
_STEP_WIDTH = 45


def image_rows(
    image: Mapping[str, Any], now: float, *, whole: bool, digests: bool = False
) -> Iterator[Record]:
    """A row for each name of an image; `whole` shortens nothing."""
    shared, total = image.get("SharedSize", -1), image["Size"]
    common = {
        "ID": image["Id"] if whole else short(image["Id"]),
        "CreatedSince": age(now - image["Created"]),
        "CreatedAt": local_time(image["Created"]),
        "Size": size(total),
        "VirtualSize": size(total, 4),
        "SharedSize": _UNKNOWN if shared < 0 else size(shared, 4),
        "UniqueSize": _UNKNOWN if shared < 0 else size(total - shared, 4),
        "Containers": _UNKNOWN if image.get("Containers", -1) < 0 else str(image["Containers"]),
    }
    for repository, tag, digest in _names(image, digests=digests):
        named = {"Repository": repository, "Tag": tag, "Digest": digest}
        # What `-o name` shows is a name that the engine finds the image by.
        name = image["Id"] if tag == _NONE else f"{repository}:{tag}"
        yield Record({**common, **named}, {"Name": lambda name=name: name})


def _names(image: Mapping[str, Any], *, digests: bool) -> Iterator[tuple[str, str, str]]:
    """Repository, tag and digest of each; a tag without digests in the list has none."""
    tags = [name.rpartition(":")[::2] for name in image["RepoTags"] or ()]
    known = [name.rpartition("@")[::2] for name in image.get("RepoDigests") or ()]
    if not digests:
        yield from ((repository, tag, _NONE) for repository, tag in tags)
        if not tags:
            yield (known[0][0] if known else _NONE), _NONE, _NONE
        return
    found = dict(known)
    for repository, tag in tags:
        yield repository, tag, found.get(repository, _NONE)
    named = {repository for repository, _ in tags}
    yield from ((name, _NONE, digest) for name, digest in known if name not in named)
    if not tags and not known:
        yield _NONE, _NONE, _NONE


def step_row(step: Mapping[str, Any], now: float, *, whole: bool, human: bool) -> Record:
    """A step of an image's making; without `human` sizes and times are exact."""
    made_by = step["CreatedBy"].replace("\t", " ")
    identifier = step["Id"]
    moment = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(step["Created"]))
    created = f"{moment[:-2]}:{moment[-2:]}".replace("+00:00", "Z")
    return Record(
        {
            "ID": identifier if whole or identifier.startswith("<") else short(identifier),
            "CreatedSince": age(now - step["Created"]) if human else created,
            "CreatedAt": created,
            "CreatedBy": made_by if whole else cut(made_by, _STEP_WIDTH),
            "Size": size(step["Size"]) if human else str(step["Size"]),
            "Comment": step["Comment"],
        }
    )
