"""The fields that networks and volumes have in lists, as docker names and writes them. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from sampan.faces.cli.engine.human_values import short, size, written_time
from sampan.faces.cli.engine.listing import Kind
from sampan.faces.cli.templates.values import Record

_UNKNOWN = "N/A"
NETWORKS = Kind(
    table="{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
    headings={
        "ID": "NETWORK ID",
        "Name": "NAME",
        "Driver": "DRIVER",
        "Scope": "SCOPE",
        "IPv4": "IPV4",
        "IPv6": "IPV6",
        "Internal": "INTERNAL",
        "Labels": "LABELS",
        "CreatedAt": "CREATED AT",
    },
)
VOLUMES = Kind(
    table="{{.Driver}}\t{{.Name}}",
    headings={
        "Name": "VOLUME NAME",
        "Driver": "DRIVER",
        "Scope": "SCOPE",
        "Mountpoint": "MOUNTPOINT",
        "Labels": "LABELS",
        "Links": "LINKS",
        "Size": "SIZE",
        "Group": "GROUP",
        "Availability": "AVAILABILITY",
        "Status": "STATUS",
    },
    identifier="Name",
)


def network_row(network: Mapping[str, Any], *, whole: bool) -> Record:
    return _record(
        network,
        {
            "ID": network["Id"] if whole else short(network["Id"]),
            "Name": network["Name"],
            "Driver": network["Driver"],
            "Scope": network["Scope"],
            "IPv4": _truth(network.get("EnableIPv4", True)),
            "IPv6": _truth(network["EnableIPv6"]),
            "Internal": _truth(network["Internal"]),
            "CreatedAt": written_time(network["Created"]),
        },
    )


def volume_row(volume: Mapping[str, Any]) -> Record:
    usage = volume.get("UsageData")
    return _record(
        volume,
        {
            "Name": volume["Name"],
            "Driver": volume["Driver"],
            "Scope": volume["Scope"],
            "Mountpoint": volume["Mountpoint"],
            "Links": str(usage["RefCount"]) if usage else _UNKNOWN,
            "Size": size(usage["Size"], 4) if usage else _UNKNOWN,
            **dict.fromkeys(("Group", "Availability", "Status"), _UNKNOWN),
        },
    )


def natural_order(item: Mapping[str, Any]) -> list[tuple[bool, int, str]]:
    """To sort by names: `net2` comes before `net10`."""
    parts = re.findall(r"\d+|\D+", item["Name"])
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def _record(item: Mapping[str, Any], fields: dict[str, Any]) -> Record:
    labels = item.get("Labels") or {}
    text = ",".join(f"{name}={labels[name]}" for name in sorted(labels))
    return Record({**fields, "Labels": text}, {"Label": lambda name: labels.get(name, "")})


def _truth(value: Any) -> str:
    return "true" if value else "false"
