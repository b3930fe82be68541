"""The datastore that a cluster was last started with: the next `up` finds its objects there.

Kept as the environment variables that named it, in a file beside the instance's state.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from sampan.foundation.datastore import SQLITE, VARIABLE, datastore_of
from sampan.foundation.pki.files import make_private_folder, write_atomically
from sampan.foundation.settings import Instance


def recall(instance: Instance) -> dict[str, str]:
    """The variables, none where nothing but the embedded store was ever used. Raises OSError."""
    try:
        return msgspec.json.decode(_path(instance).read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}


def remember(instance: Instance, variables: Mapping[str, str]) -> None:
    """Raises OSError."""
    if variables == recall(instance):
        return
    make_private_folder(instance.state_folder)
    write_atomically(_path(instance), msgspec.json.encode(variables))


def is_another(instance: Instance, variables: Mapping[str, str]) -> bool:
    """Whether the variables name another datastore than the one that is remembered."""
    prefix = instance.full_name
    return datastore_of(variables, prefix) != datastore_of(recall(instance), prefix)


def named(variables: Mapping[str, str]) -> str:
    """The datastore as its user named it."""
    return variables.get(VARIABLE, SQLITE)


def _path(instance: Instance) -> Path:
    return instance.state_folder / "datastore.json"
