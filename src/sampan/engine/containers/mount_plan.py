"""What is mounted in a container, out of what people and images ask for: pure.

Docker's ways to ask: `-v` (binds and named volumes), `--mount`, `--tmpfs`, `--volumes-from`, and
the volumes that an image declares. A later way takes the place of what an image or another
container brings; two of a client's own at one place are refused.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, get_args

import msgspec

from sampan.engine.configuration import Propagation
from sampan.engine.containers.configuration import (
    Configuration,
    HostConfiguration,
    Mount,
    MountPoint,
    TmpfsOptions,
)
from sampan.engine.contract import InvalidConfiguration

MountKind = Literal["bind", "volume", "tmpfs"]
_PROPAGATIONS: tuple[Propagation, ...] = (
    "private",
    "rprivate",
    "shared",
    "rshared",
    "slave",
    "rslave",
)
_IGNORED_MODES = ("z", "Z", "consistent", "cached", "delegated", "default")
_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_SIZE = re.compile(r"(\d+)([kmgtKMGT]?)[bB]?")
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_KEPT_FLAGS = ("exec", "noexec", "suid", "nosuid", "dev", "nodev", "noatime", "mode", "uid", "gid")


class PlannedMount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One mount. `name` is a volume's, "" until an anonymous one has got its own.

    `create_source`: a bind whose source is missing gets a folder there. `mode` is what was
    said behind the second colon of `-v`. `declared`: asked for by the image, or as a volume
    without a name at all. `listed`: an inspection shows it among the mounts.
    """

    kind: MountKind
    target: str
    name: str = ""
    source: str = ""
    mode: str = ""
    writable: bool = True
    propagation: Propagation | None = None
    recursive: bool = True
    read_only_recursive: bool = False
    create_source: bool = False
    copies_content: bool = True
    subpath: str = ""
    driver: str = ""
    driver_options: dict[str, str] = {}
    labels: dict[str, str] = {}
    size: int = 0
    permissions: int = 0o1777
    options: tuple[str, ...] = ()
    listed: bool = True


def planned_mounts(
    configuration: Configuration,
    host: HostConfiguration,
    others: Mapping[str, tuple[PlannedMount, ...]],
) -> tuple[PlannedMount, ...]:
    """All mounts of a new container; `others` are those of the containers of `volumes_from`.

    Raises InvalidConfiguration in Docker's words.
    """
    found: dict[str, PlannedMount] = {}
    for reference in host.volumes_from or ():
        for mount in _of_another(reference, others):
            found[mount.target] = mount
    own: set[str] = set()
    for mount in _own(host):
        if mount.target in own:
            raise InvalidConfiguration(f"Duplicate mount point: {mount.target}")
        own.add(mount.target)
        found[mount.target] = mount
    for target in configuration.volumes or ():
        place = _target(target, f"invalid volume specification: '{target[:300]}': ")
        if place not in found:
            found[place] = PlannedMount(kind="volume", target=place, driver=host.volume_driver)
    return tuple(sorted(found.values(), key=lambda mount: mount.target.count("/")))


def references_of(host: HostConfiguration) -> Iterator[str]:
    """The containers named by `--volumes-from`."""
    for reference in host.volumes_from or ():
        yield reference.partition(":")[0]


def shown(mount: PlannedMount, source: str) -> MountPoint:
    """What an inspection tells of a mount whose files lie at `source`."""
    return MountPoint(
        kind=mount.kind,
        name=mount.name,
        source=source,
        destination=mount.target,
        driver=(mount.driver or "local") if mount.kind == "volume" else "",
        mode=mount.mode,
        writable=mount.writable,
        propagation=(mount.propagation or "rprivate") if mount.kind == "bind" else "",
    )


def _own(host: HostConfiguration) -> Iterator[PlannedMount]:
    for bind in host.binds or ():
        yield _bind(bind, host.volume_driver)
    for mount in host.mounts or ():
        yield _mount(mount)
    for target, options in (host.tmpfs or {}).items():
        yield _tmpfs(_target(target, ""), [word for word in options.split(",") if word])


def _of_another(
    reference: str, others: Mapping[str, tuple[PlannedMount, ...]]
) -> Iterable[PlannedMount]:
    name, _, mode = reference.partition(":")
    if mode not in ("", "ro", "rw", "z", "Z", "ro,z", "ro,Z", "z,ro", "Z,ro"):
        raise InvalidConfiguration(f"invalid mode: {mode[:100]}")
    for mount in others[name]:
        if mount.kind != "tmpfs":
            writable = mount.writable and "ro" not in mode.split(",")
            yield msgspec.structs.replace(mount, mode="", writable=writable, copies_content=False)


def _bind(text: str, driver: str) -> PlannedMount:
    parts = text.split(":")
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise InvalidConfiguration(f"invalid volume specification: '{text[:300]}'")
    source = parts[0] if len(parts) > 1 else ""
    mode = parts[2] if len(parts) == 3 else ""
    words = [word for word in mode.split(",") if word]
    propagations = [known for known in _PROPAGATIONS if known in words]
    allowed = ("ro", "rw", "nocopy", *_IGNORED_MODES, *_PROPAGATIONS)
    if any(word not in allowed for word in words) or len(propagations) > 1:
        raise InvalidConfiguration(f"invalid mode: {mode[:100]}")
    kind = "bind" if source.startswith("/") else "volume"
    refused = f"invalid volume specification: '{text[:300]}': {_refused(kind)}"
    target = _target(parts[-1] if len(parts) == 1 else parts[1], refused)
    writable = "ro" not in words
    if source.startswith("/"):
        return PlannedMount(
            kind="bind",
            source=posixpath.normpath(source),
            target=target,
            mode=mode,
            writable=writable,
            propagation=propagations[0] if propagations else None,
            create_source=True,
        )
    if source and not (len(source) > 1 and _VOLUME_NAME.fullmatch(source)):
        raise InvalidConfiguration(
            f'create {source[:300]}: "{source[:300]}" includes invalid characters for a local '
            'volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass '
            "a host directory, use absolute path"
        )
    if propagations:
        raise InvalidConfiguration(f"invalid volume specification: '{text[:300]}'")
    return PlannedMount(
        kind="volume",
        name=source,
        target=target,
        mode=mode or ("z" if source else ""),
        writable=writable,
        copies_content="nocopy" not in words,
        driver=driver,
    )


def _mount(mount: Mount) -> PlannedMount:
    refused = _refused(mount.kind)
    if mount.kind not in get_args(MountKind):
        raise InvalidConfiguration(refused + "mount type unknown")
    if not mount.target:
        raise InvalidConfiguration(refused + "field Target must not be empty")
    target = _target(mount.target, refused)
    writable = not mount.read_only
    if mount.kind == "tmpfs":
        if mount.source:
            raise InvalidConfiguration(refused + "field Source must not be specified")
        return _planned_tmpfs(target, mount.tmpfs_options or TmpfsOptions(), writable=writable)
    if mount.kind == "volume":
        return _volume(mount, target)
    if not mount.source:
        raise InvalidConfiguration(refused + "field Source must not be empty")
    if not mount.source.startswith("/"):
        raise InvalidConfiguration(
            refused + f"invalid mount path: '{mount.source[:300]}' mount path must be absolute"
        )
    options = mount.bind_options
    wanted = options.propagation if options is not None else ""
    propagation = next((known for known in _PROPAGATIONS if known == wanted), None)
    if wanted and propagation is None:
        raise InvalidConfiguration(refused + f"invalid propagation mode: {wanted[:40]}")
    return PlannedMount(
        kind="bind",
        source=posixpath.normpath(mount.source),
        target=target,
        writable=writable,
        propagation=propagation,
        recursive=options is None or not options.non_recursive,
        read_only_recursive=options is not None and options.read_only_force_recursive,
        create_source=options is not None and options.create_mountpoint,
    )


def _volume(mount: Mount, target: str) -> PlannedMount:
    options, driver = mount.volume_options, None
    if options is not None:
        driver = options.driver_configuration
    subpath = options.subpath if options is not None else ""
    if subpath.startswith("/") or ".." in subpath.split("/"):
        raise InvalidConfiguration(
            'invalid mount config for type "volume": subpath must be a relative path within '
            "the volume"
        )
    return PlannedMount(
        kind="volume",
        name=mount.source,
        target=target,
        mode="z" if mount.source else "",
        writable=not mount.read_only,
        copies_content=options is None or not options.no_copy,
        subpath=subpath,
        labels=(options.labels or {}) if options is not None else {},
        driver=driver.name if driver is not None else "",
        driver_options=(driver.options or {}) if driver is not None else {},
    )


def _planned_tmpfs(target: str, options: TmpfsOptions, *, writable: bool) -> PlannedMount:
    return PlannedMount(
        kind="tmpfs",
        target=target,
        writable=writable,
        size=options.size_bytes,
        permissions=options.mode or 0o1777,
        options=tuple("=".join(option) for option in options.options or ()),
    )


def _tmpfs(target: str, words: list[str]) -> PlannedMount:
    size, writable, options = 0, True, []
    for word in words:
        name, _, value = word.partition("=")
        if name == "size":
            size = _bytes(value)
        elif word in ("ro", "rw"):
            writable = word == "rw"
        elif name in _KEPT_FLAGS or name in ("nr_inodes", "nr_blocks", "strictatime"):
            options.append(word)
        elif word not in _PROPAGATIONS:
            raise InvalidConfiguration(f'invalid tmpfs option "{word[:100]}"')
    permissions = next((option[5:] for option in options if option.startswith("mode=")), "1777")
    if not re.fullmatch(r"[0-7]{1,5}", permissions):
        raise InvalidConfiguration(f'invalid tmpfs option "mode={permissions[:40]}"')
    return PlannedMount(
        kind="tmpfs",
        target=target,
        writable=writable,
        size=size,
        permissions=int(permissions, 8),
        options=tuple(option for option in options if not option.startswith("mode=")),
        listed=False,
    )


def _bytes(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise InvalidConfiguration(f'invalid tmpfs option "size={text[:40]}"')
    return int(found[1]) << _UNITS[found[2].lower()]


def _refused(kind: str) -> str:
    return f'invalid mount config for type "{kind[:40]}": '


def _target(path: str, refused: str) -> str:
    """Where it is mounted. Raises InvalidConfiguration, with `refused` before the reason."""
    if not path.startswith("/"):
        raise InvalidConfiguration(
            f"{refused}invalid mount path: '{path[:300]}' mount path must be absolute"
        )
    target = "/" + posixpath.normpath(path).lstrip("/")
    if target == "/":
        raise InvalidConfiguration(f"{refused}invalid specification: destination can't be '/'")
    return target
