"""The fields that a container has in lists, as docker names and writes them. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sampan.faces.cli.engine.human_values import age, cut, local_time, short, size
from sampan.faces.cli.engine.listing import Kind
from sampan.faces.cli.templates.printing import quoted
from sampan.faces.cli.templates.values import Record

_TABLE = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
_HEADINGS = {
    "ID": "CONTAINER ID",
    "Names": "NAMES",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "CreatedAt": "CREATED AT",
    "RunningFor": "CREATED",
    "Ports": "PORTS",
    "State": "STATE",
    "Status": "STATUS",
    "Size": "SIZE",
    "Labels": "LABELS",
    "Mounts": "MOUNTS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Networks": "NETWORKS",
    "Platform": "PLATFORM",
}
CONTAINERS = Kind(table=_TABLE, headings=_HEADINGS, name="Names")
SIZED_CONTAINERS = Kind(table=f"{_TABLE}\t{{{{.Size}}}}", headings=_HEADINGS, name="Names")
_COMMAND_WIDTH = 20
_MOUNT_WIDTH = 15


def container_row(container: Mapping[str, Any], now: float, *, whole: bool) -> Record:
    """`whole` shortens nothing; `now` in seconds since the epoch."""
    labels = container["Labels"] or {}
    mounts = container.get("Mounts") or ()
    command = container["Command"] if whole else cut(container["Command"], _COMMAND_WIDTH)
    networks = (container.get("NetworkSettings") or {}).get("Networks") or {}
    fields = {
        "ID": container["Id"] if whole else short(container["Id"]),
        "Names": _names(container["Names"], whole=whole),
        "Image": _image(container, whole=whole),
        "Command": quoted(command),
        "CreatedAt": local_time(container["Created"]),
        "RunningFor": age(now - container["Created"]),
        "Ports": ports_text(container["Ports"]),
        "State": container["State"],
        "Status": container["Status"],
        "Size": _size(container),
        "Labels": ",".join(f"{name}={labels[name]}" for name in sorted(labels)),
        "Mounts": ",".join(_mount(mount, whole=whole) for mount in mounts),
        "LocalVolumes": str(sum(mount.get("Driver") == "local" for mount in mounts)),
        "Networks": ",".join(sorted(networks)),
        "Platform": None,
    }
    return Record(fields, {"Label": lambda name: labels.get(name, "")})


def _names(given: Sequence[str], *, whole: bool) -> str:
    names = [name.removeprefix("/") for name in given]
    own = [name for name in names if "/" not in name]
    return own[0] if own and not whole else ",".join(names)


def _image(container: Mapping[str, Any], *, whole: bool) -> str:
    image, identifier = str(container["Image"]), short(container["ImageID"])
    if whole or not image:
        return image or "<no image>"
    return identifier if short(image) == identifier else image.partition("@")[0]


def _mount(mount: Mapping[str, Any], *, whole: bool) -> str:
    name = mount.get("Name") or mount.get("Source") or ""
    return name if whole else cut(name, _MOUNT_WIDTH)


def _size(container: Mapping[str, Any]) -> str:
    written = size(container.get("SizeRw") or 0)
    root = container.get("SizeRootFs") or 0
    return f"{written} (virtual {size(root)})" if root else written


def ports_text(ports: Sequence[Mapping[str, Any]]) -> str:
    """Ports and where they are published; those that follow one another are one range."""
    ordered = sorted(ports, key=_place_of)
    groups: dict[str, list[tuple[int, int]]] = {}
    mapped = []
    for port in ordered:
        inner, outer, address = port["PrivatePort"], port.get("PublicPort", 0), port.get("IP", "")
        if address and outer != inner:
            mapped.append(f"{_joined(address, str(outer))}->{inner}/{port['Type']}")
            continue
        ranges = groups.setdefault(f"{address}/{port['Type']}" if address else port["Type"], [])
        if ranges and ranges[-1][1] == inner - 1:
            ranges[-1] = (ranges[-1][0], inner)
        else:
            ranges.append((inner, inner))
    return ", ".join([*_ranges(groups), *mapped])


def _place_of(port: Mapping[str, Any]) -> tuple[int, str, int, str]:
    return port["PrivatePort"], port.get("IP", ""), port.get("PublicPort", 0), port["Type"]


def _ranges(groups: Mapping[str, Sequence[tuple[int, int]]]) -> Iterator[str]:
    """Earlier ranges of a group come before the last ones of all."""
    earlier = [(key, found) for key, ranges in groups.items() for found in ranges[:-1]]
    for key, (first, last) in [*earlier, *((key, ranges[-1]) for key, ranges in groups.items())]:
        text = str(first) if first == last else f"{first}-{last}"
        address, slash, protocol = key.rpartition("/")
        yield f"{_joined(address, text)}->{text}/{protocol}" if slash else f"{text}/{protocol}"


def _joined(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
