"""Which standard a namespace asks for, in which mode. Pure.

Labels as in "Enforcing Pod Security Standards with Namespace Labels":
`pod-security.kubernetes.io/<MODE>: <LEVEL>` and `…/<MODE>-version: v1.N|latest`.
"""

import re
from collections.abc import Iterator
from typing import Literal, cast

import msgspec

from sampan.kubernetes.kinds.kind import Cause
from sampan.kubernetes.machinery.causes import invalid

Level = Literal["privileged", "baseline", "restricted"]
Mode = Literal["enforce", "audit", "warn"]

PREFIX = "pod-security.kubernetes.io/"
MODES: tuple[Mode, ...] = ("enforce", "audit", "warn")
_LEVELS = ("privileged", "baseline", "restricted")
_VERSION = re.compile(r"v1\.(0|[1-9][0-9]{0,3})")
LATEST = 1 << 16


class Standard(msgspec.Struct, frozen=True):
    """A level at a version; `minor` is LATEST for the newest."""

    level: Level = "privileged"
    minor: int = LATEST

    def __str__(self) -> str:
        version = "latest" if self.minor == LATEST else f"v1.{self.minor}"
        return f"{self.level}:{version}"


def standard_of(labels: dict[str, str], mode: Mode) -> Standard:
    """What the labels of a namespace ask for in a mode; what can't be read is taken strictly."""
    level = labels.get(PREFIX + mode, "privileged")
    version = labels.get(f"{PREFIX}{mode}-version", "latest")
    matched = _VERSION.fullmatch(version)
    return Standard(
        cast(Level, level) if level in _LEVELS else "restricted",
        int(matched[1]) if matched else LATEST,
    )


def label_causes(labels: dict[str, str]) -> Iterator[Cause]:
    """What is wrong with the labels of a namespace."""
    for mode in MODES:
        level = labels.get(PREFIX + mode)
        if level is not None and level not in _LEVELS:
            detail = "must be one of privileged, baseline, restricted"
            yield invalid(f"metadata.labels[{PREFIX}{mode}]", level, detail)
        key = f"{PREFIX}{mode}-version"
        version = labels.get(key)
        if version is not None and version != "latest" and not _VERSION.fullmatch(version):
            detail = 'must be "latest" or "v1.x"'
            yield invalid(f"metadata.labels[{key}]", version, detail)
