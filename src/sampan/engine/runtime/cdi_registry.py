"""The machine's CDI specifications: the files in /etc/cdi and, stronger, those in /run/cdi.

They are read when a container asks for a device, so that a new one needs no restart. A file
that is wrong is left out and logged: it must not take away the devices of others.
"""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.runtime.cdi import (
    CdiSpecification,
    DeviceEdits,
    decode_specification,
    resolve,
)

_log = logging.getLogger(__name__)
FOLDERS = (Path("/etc/cdi"), Path("/run/cdi"))
_SUFFIXES = frozenset((".json", ".yaml"))
_FILE_LIMIT = 1 << 20


def edits_for(names: Iterable[str], folders: Sequence[Path] = FOLDERS) -> DeviceEdits:
    """What the devices of these qualified names need. Raises InvalidConfiguration."""
    wanted = tuple(names)
    return resolve(wanted, read_specifications(folders)) if wanted else DeviceEdits()


def device_names(folders: Sequence[Path] = FOLDERS) -> tuple[str, ...]:
    """The qualified names of all devices, sorted."""
    return tuple(
        sorted(
            {
                f"{specification.kind}={device.name}"
                for folder in read_specifications(folders)
                for specification in folder
                for device in specification.devices
            }
        )
    )


def read_specifications(folders: Sequence[Path] = FOLDERS) -> list[list[CdiSpecification]]:
    """The valid specifications of each folder."""
    return [list(_read_folder(folder)) for folder in folders]


def _read_folder(folder: Path) -> Iterable[CdiSpecification]:
    if not folder.is_dir():
        return
    for file in sorted(folder.iterdir()):
        if file.suffix not in _SUFFIXES or not file.is_file():
            continue
        try:
            yield decode_specification(_tree(file))
        except (OSError, InvalidConfiguration) as error:
            _log.warning("the CDI specification %s is left out: %s", file, error)


def _tree(file: Path) -> Any:
    with file.open("rb") as opened:
        content = opened.read(_FILE_LIMIT + 1)
    if len(content) > _FILE_LIMIT:
        raise InvalidConfiguration(f"it is larger than {_FILE_LIMIT} bytes")
    if file.suffix == ".json":
        try:
            return msgspec.json.decode(content)
        except msgspec.DecodeError as error:
            raise InvalidConfiguration(str(error)) from error
    import yaml

    try:
        return yaml.load(content, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise InvalidConfiguration(str(error)) from error
