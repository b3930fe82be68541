"""The values of options on containers, read as Docker's users write them. Pure.

Each raises ValueError for what can't be understood. Only quick parts of the standard library.
"""

import os
from typing import Any

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SECONDS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_FLAGS = {"true": True, "1": True, "false": False, "0": False, "": True}


def size(text: str) -> int:
    """Bytes: a number, or one with b, k, m, g or t."""
    lowered = text.lower().removesuffix("ib") if text.lower().endswith("ib") else text.lower()
    lowered = lowered[:-1] if lowered[-2:-1] in ("k", "m", "g", "t") else lowered
    number = lowered.rstrip("bkmgt")
    return int(float(number) * _UNITS[_known(lowered[len(number) :], _UNITS)])


def size_or_unlimited(text: str) -> int:
    """The same, or -1."""
    return -1 if text == "-1" else size(text)


def duration(text: str) -> int:
    """Nanoseconds of a time such as 1m30s or 500ms."""
    total, rest = 0.0, text
    while rest:
        number = rest[: len(rest) - len(rest.lstrip("0123456789."))]
        rest = rest[len(number) :]
        unit = next((name for name in ("ns", "us", "ms", "s", "m", "h") if _leads(rest, name)), "")
        total += float(number) * _SECONDS[_known(unit, _SECONDS)]
        rest = rest[len(unit) :]
    if not text:
        raise ValueError(text)
    return int(total)


def _leads(text: str, unit: str) -> bool:
    tail = text[len(unit) :]
    return text.startswith(unit) and (not tail or tail[0].isdigit())


def _known(unit: str, units: dict[str, int]) -> str:
    if unit not in units:
        raise ValueError(unit)
    return unit


def flag(text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise ValueError(text)
    return _FLAGS[text.lower()]


def variables(text: str, environment: Any) -> list[str]:
    """NAME=VALUE, or NAME alone, which takes its value from here if it has one."""
    name, equals, _ = text.partition("=")
    if not name:
        raise ValueError(text)
    if equals:
        return [text]
    return [f"{name}={environment[name]}"] if name in environment else []


def lines_of(path: str) -> list[str]:
    """The lines of a file that say something."""
    try:
        with open(path, encoding="utf-8") as file:
            stripped = (line.strip() for line in file)
            return [line for line in stripped if line and not line.startswith("#")]
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error


def bind(text: str) -> str:
    """SOURCE:TARGET[:OPTIONS]; a source with a slash or a dot first is a path of this machine."""
    source, colon, rest = text.partition(":")
    if not colon:
        if not text.startswith("/"):
            raise ValueError(text)
        return text
    if not rest.startswith("/"):
        raise ValueError(text)
    if source.startswith((".", "~")):
        source = os.path.abspath(os.path.expanduser(source))
    return f"{source}:{rest}"


def mount(text: str) -> dict[str, Any]:
    """The comma-separated fields of --mount."""
    found: dict[str, Any] = {"Type": "volume"}
    for field in text.split(","):
        name, _, value = field.partition("=")
        setter = _MOUNT_FIELDS.get(name.lower())
        if setter is None:
            raise ValueError(field)
        setter(found, value)
    if not found.get("Target"):
        raise ValueError(f"{text}: a target is needed")
    if found["Type"] == "bind" and found.get("Source", "").startswith("."):
        found["Source"] = os.path.abspath(found["Source"])
    return found


def _put(*path: str, read: Any = str) -> Any:
    def put(found: dict[str, Any], value: str) -> None:
        inner = found
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
        inner[path[-1]] = read(value)

    return put


def _label(found: dict[str, Any], value: str) -> None:
    name, _, content = value.partition("=")
    found.setdefault("VolumeOptions", {}).setdefault("Labels", {})[name] = content


_MOUNT_FIELDS: dict[str, Any] = {
    **dict.fromkeys(("type",), _put("Type")),
    **dict.fromkeys(("source", "src"), _put("Source")),
    **dict.fromkeys(("target", "dst", "destination"), _put("Target")),
    **dict.fromkeys(("readonly", "ro"), _put("ReadOnly", read=flag)),
    "bind-propagation": _put("BindOptions", "Propagation"),
    "bind-nonrecursive": _put("BindOptions", "NonRecursive", read=flag),
    "volume-nocopy": _put("VolumeOptions", "NoCopy", read=flag),
    "volume-subpath": _put("VolumeOptions", "Subpath"),
    "volume-label": _label,
    "tmpfs-size": _put("TmpfsOptions", "SizeBytes", read=size),
    "tmpfs-mode": _put("TmpfsOptions", "Mode", read=lambda text: int(text, 8)),
}


_ENDPOINT_FIELDS: dict[str, Any] = {
    "ip": _put("IPAMConfig", "IPv4Address"),
    "ip6": _put("IPAMConfig", "IPv6Address"),
    "mac-address": _put("MacAddress"),
    "gw-priority": _put("GwPriority", read=int),
}


def port_range(text: str) -> range:
    first, _, last = text.partition("-")
    ports = range(int(first), int(last or first) + 1)
    if not ports or ports[0] < 1 or ports[-1] > 65535:
        raise ValueError(text)
    return ports


def published(text: str) -> list[tuple[str, dict[str, str]]]:
    """[ADDRESS:][HOST_PORTS:]PORTS[/PROTOCOL] as pairs of a container's port and its binding."""
    ports, _, protocol = text.partition("/")
    address = ""
    if ports.startswith("["):
        address, _, ports = ports[1:].partition("]:")
    elif ports.count(":") == 2:
        address, _, ports = ports.partition(":")
    host, colon, inner = ports.rpartition(":")
    inside = port_range(inner)
    outside = port_range(host) if colon and host else None
    if outside is not None and len(outside) != len(inside) and len(inside) != 1:
        raise ValueError(text)
    pairs = []
    for index, port in enumerate(inside):
        chosen = ""
        if outside is not None:
            # Several ports of the machine for one port: the first that is free.
            chosen = host if len(inside) == 1 < len(outside) else str(outside[index])
        pairs.append((f"{port}/{protocol or 'tcp'}", {"HostIp": address, "HostPort": chosen}))
    return pairs


def restart_policy(text: str) -> dict[str, Any]:
    name, _, count = text.partition(":")
    if name not in ("no", "always", "unless-stopped", "on-failure"):
        raise ValueError(text)
    return {"Name": name, "MaximumRetryCount": int(count or 0)}


def device(text: str) -> dict[str, str]:
    source, _, rest = text.partition(":")
    target, _, permissions = rest.partition(":")
    if target and not target.startswith("/"):
        target, permissions = "", target
    return {
        "PathOnHost": source,
        "PathInContainer": target or source,
        "CgroupPermissions": permissions or "rwm",
    }


def device_rate(text: str) -> dict[str, Any]:
    path, _, rate = text.rpartition(":")
    if not path.startswith("/"):
        raise ValueError(text)
    return {"Path": path, "Rate": size(rate)}


def device_weight(text: str) -> dict[str, Any]:
    path, _, weight = text.rpartition(":")
    if not path.startswith("/"):
        raise ValueError(text)
    return {"Path": path, "Weight": int(weight)}


def network(text: str) -> tuple[str, dict[str, Any]]:
    """NAME, or fields such as name=NAME,alias=A,ip=ADDRESS; the settings of the endpoint."""
    if "=" not in text:
        return text, {}
    name = ""
    settings: dict[str, Any] = {}
    for field in text.split(","):
        key, _, value = field.partition("=")
        if key == "name":
            name = value
        elif key == "alias":
            settings.setdefault("Aliases", []).append(value)
        elif key == "link-local-ip":
            addresses = settings.setdefault("IPAMConfig", {})
            addresses.setdefault("LinkLocalIPs", []).append(value)
        elif key == "driver-opt":
            option, _, content = value.partition("=")
            settings.setdefault("DriverOpts", {})[option] = content
        elif key in _ENDPOINT_FIELDS:
            _ENDPOINT_FIELDS[key](settings, value)
        else:
            raise ValueError(field)
    if not name:
        raise ValueError(text)
    return name, settings


def moment(text: str, now: float) -> str:
    """Seconds since the epoch of a time: such seconds, an age as 10m, or RFC 3339, whole or not.

    `now` is seconds since the epoch.
    """
    if text.replace(".", "", 1).isdigit():
        return text
    try:
        return f"{now - duration(text) / 10**9:.9f}"
    except ValueError:
        from datetime import datetime

        found = datetime.fromisoformat(text)
        return f"{found.timestamp():.9f}"


def ulimit(text: str) -> dict[str, Any]:
    name, equals, limits = text.partition("=")
    soft, _, hard = limits.partition(":")
    if not equals:
        raise ValueError(text)
    return {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)}


def gpus(text: str) -> dict[str, Any]:
    """`all`, a number, or `device=A`."""
    request: dict[str, Any] = {"Driver": "", "Capabilities": [["gpu"]]}
    if text.startswith("device="):
        return request | {"DeviceIDs": text.removeprefix("device=").strip('"').split(",")}
    return request | {"Count": -1 if text == "all" else int(text)}
