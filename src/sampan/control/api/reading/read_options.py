"""The rules that the options of lists and watches keep among themselves.

They are those of apimachinery's `internalversion/validation`: what breaks them is answered with 422
and a cause for each.
"""

from collections.abc import Iterator

from sampan.control.api.refusal import Refused
from sampan.foundation.wire.message import Request
from sampan.kubernetes.kinds.kind import Cause
from sampan.kubernetes.machinery import status
from sampan.kubernetes.machinery.causes import forbidden, unsupported

_MATCH, _INITIAL = "resourceVersionMatch", "sendInitialEvents"
_EXACT, _NOT_OLDER = "Exact", "NotOlderThan"
_GROUP, _KIND = "meta.k8s.io", "ListOptions"


def check_list(request: Request) -> None:
    """Raises Refused (422)."""
    _refuse(_of_list(request))


def check_watch(request: Request) -> None:
    """Raises Refused (422)."""
    _refuse(_of_watch(request))


def _refuse(causes: Iterator[Cause]) -> None:
    found = list(causes)
    if found:
        raise Refused(status.invalid(_GROUP, _KIND, "", found))


def _of_list(request: Request) -> Iterator[Cause]:
    match, version = request.parameter(_MATCH), request.parameter("resourceVersion")
    if match and not version:
        yield forbidden(_MATCH, f"{_MATCH} is forbidden unless resourceVersion is provided")
    if match and request.parameter("continue"):
        yield forbidden(_MATCH, f"{_MATCH} is forbidden when continue is provided")
    if match not in ("", _EXACT, _NOT_OLDER):
        yield unsupported(_MATCH, match, (_EXACT, _NOT_OLDER, ""))
    if match == _EXACT and version == "0":
        yield forbidden(_MATCH, f'{_MATCH} "exact" is forbidden for resourceVersion "0"')
    if request.parameter(_INITIAL):
        yield forbidden(_INITIAL, f"{_INITIAL} is forbidden for list")


def _of_watch(request: Request) -> Iterator[Cause]:
    match, initial = request.parameter(_MATCH), request.parameter(_INITIAL)
    if initial and match != _NOT_OLDER:
        yield forbidden(_MATCH, f"{_INITIAL} requires setting {_MATCH} to {_NOT_OLDER}")
    if not match:
        return
    if not initial:
        yield forbidden(_MATCH, f"{_MATCH} is forbidden for watch unless {_INITIAL} is provided")
    if match != _NOT_OLDER:
        yield unsupported(_MATCH, match, (_NOT_OLDER,))
    if request.parameter("continue"):
        yield forbidden(_MATCH, f"{_MATCH} is forbidden when continue is provided")
