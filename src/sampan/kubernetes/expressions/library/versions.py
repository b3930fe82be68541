"""Semantic versions (k8s.io/apiserver `pkg/cel/library/semverlib.go`; semver.org 2.0.0)."""

import re
from collections.abc import Callable
from typing import Any

from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.functions import Library, Overload
from sampan.kubernetes.expressions.types import BOOL, INT, STRING, abstract
from sampan.kubernetes.expressions.values import Abstract

LIBRARY = Library()
VERSION = abstract("kubernetes.Semver")
_NUMBER = r"(0|[1-9]\d{0,18})"
_FORM = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?",
    re.ASCII,
)
_LOOSE = re.compile(r"v?(\d{1,19})(?:\.(\d{1,19}))?(?:\.(\d{1,19}))?(.*)", re.ASCII | re.DOTALL)
_LONGEST = 256


class Version(Abstract):
    """A version's numbers and the identifiers of its pre-release; builds don't count."""

    __slots__ = ("numbers", "prerelease")
    type_name = VERSION.name

    def __init__(self, numbers: tuple[int, int, int], prerelease: tuple[str, ...]) -> None:
        self.numbers = numbers
        self.prerelease = prerelease

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.order == other.order

    def __hash__(self) -> int:
        return hash(self.numbers)

    @property
    def order(self) -> tuple[Any, ...]:
        """Without a pre-release a version is later than with one (clause 11)."""
        identifiers = tuple(
            (0, int(it), "") if it.isdigit() else (1, 0, it) for it in self.prerelease
        )
        return (self.numbers, not self.prerelease, identifiers)


def _normal(text: str) -> str:
    """What may be mended: a leading v, missing numbers, zeros in front."""
    found = _LOOSE.fullmatch(text)
    if found is None:
        return text
    major, minor, patch, rest = found.groups()
    return f"{int(major)}.{int(minor or 0)}.{int(patch or 0)}{rest}"


def _found(text: str, normalize: bool) -> Version | None:
    if len(text) > _LONGEST:
        return None
    found = _FORM.fullmatch(_normal(text) if normalize else text)
    if found is None:
        return None
    prerelease = tuple(found.group(4).split(".")) if found.group(4) else ()
    if any(it.isdigit() and len(it) > 1 and it[0] == "0" for it in prerelease):
        return None
    return Version((int(found[1]), int(found[2]), int(found[3])), prerelease)


def _parsed(text: str, normalize: bool = False) -> Version:
    version = _found(text, normalize)
    if version is None:
        raise EvaluationFailed(f'Invalid Semantic Version "{text[:40]}"')
    return version


def _is_version(text: str, normalize: bool = False) -> bool:
    return _found(text, normalize) is not None


def _order(one: Version, other: Version) -> int:
    return int(one.order > other.order) - int(one.order < other.order)


def _compared(decide: Callable[[int], bool]) -> Overload:
    return Overload((VERSION, VERSION), BOOL, lambda one, other: decide(_order(one, other)))


for _more in ((), (BOOL,)):
    LIBRARY.function("semver", Overload((STRING, *_more), VERSION, _parsed))
    LIBRARY.function("isSemver", Overload((STRING, *_more), BOOL, _is_version))
LIBRARY.method("major", Overload((VERSION,), INT, lambda it: it.numbers[0]))
LIBRARY.method("minor", Overload((VERSION,), INT, lambda it: it.numbers[1]))
LIBRARY.method("patch", Overload((VERSION,), INT, lambda it: it.numbers[2]))
LIBRARY.method("isGreaterThan", _compared(lambda order: order > 0))
LIBRARY.method("isLessThan", _compared(lambda order: order < 0))
LIBRARY.method("compareTo", Overload((VERSION, VERSION), INT, _order))
