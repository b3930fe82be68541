"""What is kept of a volume in the engine's records, and which names one may have. Pure."""

import re

import msgspec

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.volumes.contract import (
    ANONYMOUS_LABEL,
    LOCAL_DRIVER,
    VolumeDefinition,
    VolumeDetail,
    VolumeUsage,
)

VOLUME_KIND = "volume"
HOLD_KIND = "volume-hold"
_NAME_FORM = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_SHORTEST_NAME, _LONGEST_NAME = 2, 255


class VolumeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Its folder follows from its name. `project` counts what is in it, where that is limited."""

    name: str
    created: str
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None
    project: int = 0

    @property
    def is_mounted(self) -> bool:
        """Whether something else than its folder is at its place while it is used."""
        return bool(self.options) and "size" not in (self.options or {})

    @property
    def anonymous(self) -> bool:
        return ANONYMOUS_LABEL in (self.labels or {})

    def detail(self, mountpoint: str, usage: VolumeUsage | None = None) -> VolumeDetail:
        """What an inspection tells."""
        return VolumeDetail(
            created_at=self.created,
            driver=LOCAL_DRIVER,
            labels=self.labels,
            mountpoint=mountpoint,
            name=self.name,
            options=self.options,
            usage_data=usage,
        )


def recorded_volume(definition: VolumeDefinition, *, name: str, created: str) -> VolumeRecord:
    """A new volume; `name` is for one that nobody named. Raises InvalidConfiguration."""
    labels = definition.labels
    if definition.name:
        check_name(definition.name)
    else:
        labels = {**(labels or {}), ANONYMOUS_LABEL: ""}
    return VolumeRecord(
        name=definition.name or name,
        created=created,
        labels=labels,
        options=definition.driver_options,
    )


def check_name(name: str) -> None:
    """Raises InvalidConfiguration for a name that no volume may have."""
    if len(name) < _SHORTEST_NAME:
        raise InvalidConfiguration(
            "volume name is too short, names should be at least two alphanumeric characters"
        )
    if not _NAME_FORM.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise InvalidConfiguration(
            f'create {name[:_LONGEST_NAME]}: "{name[:_LONGEST_NAME]}" includes invalid characters '
            'for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you '
            "intended to pass a host directory, use absolute path"
        )
