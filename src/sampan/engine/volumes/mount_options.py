"""The local driver's options `type`, `device` and `o`, which mount(8) would take. Pure."""

from collections.abc import Mapping

import msgspec

from sampan.engine.contract import InvalidConfiguration, NotImplementedHere
from sampan.engine.sizes import binary_size
from sampan.host import mounts

_KNOWN = ("type", "device", "o", "size")
_NETWORK_TYPES = ("nfs", "nfs4", "cifs", "smb3")
_FLAGS = {
    "rw": 0,
    "defaults": 0,
    "ro": mounts.MS_RDONLY,
    "nosuid": mounts.MS_NOSUID,
    "nodev": mounts.MS_NODEV,
    "noexec": mounts.MS_NOEXEC,
}
_BINDS = ("bind", "rbind")


class MountPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of the machine to be bound, or a file system in memory."""

    bind: str = ""
    flags: int = 0
    options: str = ""

    @property
    def read_only(self) -> bool:
        return bool(self.flags & mounts.MS_RDONLY)


def mount_plan(options: Mapping[str, str] | None) -> MountPlan | None:
    """What is to be mounted at a volume's place; None for a plain folder.

    Raises InvalidConfiguration, NotImplementedHere for file systems of other machines.
    """
    if not options:
        return None
    for name in options:
        if name not in _KNOWN:
            raise InvalidConfiguration(f'invalid option: "{name}"')
    if "size" in options:
        if len(options) > 1:
            raise InvalidConfiguration(
                'the option "size" is for a volume that is a folder of the machine: the size of '
                "one in memory is among the options o"
            )
        return None
    kind, device = options.get("type", ""), options.get("device", "")
    if kind in _NETWORK_TYPES:
        raise NotImplementedHere(
            f'volumes of type "{kind}" are not supported: mount it on the machine and use '
            "type none with o=bind"
        )
    if not device:
        raise InvalidConfiguration('missing required option: "device"')
    words = [word for word in options.get("o", "").split(",") if word]
    if any(word in _BINDS for word in words):
        return _bind(device, words)
    if kind == "tmpfs":
        flags, rest = _split(words)
        return MountPlan(flags=flags, options=",".join(rest))
    raise NotImplementedHere(
        f'volumes of type "{kind}" are not supported: use tmpfs, or none with o=bind'
    )


def size_limit(options: Mapping[str, str] | None) -> int:
    """How many bytes a volume may hold, 0 for no limit. Raises InvalidConfiguration."""
    return binary_size((options or {}).get("size", "0"))


def _bind(device: str, words: list[str]) -> MountPlan:
    if not device.startswith("/"):
        raise InvalidConfiguration(f"device {device!r} of a bind is no absolute path")
    flags, rest = _split([word for word in words if word not in _BINDS])
    if rest:
        raise InvalidConfiguration(f"unknown options of a bind: {','.join(rest)}")
    return MountPlan(bind=device, flags=flags)


def _split(words: list[str]) -> tuple[int, list[str]]:
    """The flags of mount(2), and what is for the file system."""
    flags, rest = 0, []
    for word in words:
        if word in _FLAGS:
            flags |= _FLAGS[word]
        else:
            rest.append(word)
    return flags, rest
