"""The rules of probes, and of what runs at a container's start and end."""

import re
from collections.abc import Iterator

from sampan.kubernetes.kinds.core.port_validation import check_port_reference, is_port
from sampan.kubernetes.kinds.field_rules import PORT_RANGE
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import forbidden, invalid, required, unsupported

_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_SCHEMES = ("HTTP", "HTTPS")
_NUMBERS = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)
_NOT_NEGATIVE = "must be greater than or equal to 0"
_HEADER = re.compile(r"[-A-Za-z0-9]+")
_HEADER_MESSAGE = (
    "a valid HTTP header must consist of alphanumeric characters or '-' "
    "(e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')"
)


def check_probe(probe: Object, field: str, name: str) -> Iterator[Cause]:
    yield from _check_handler(probe, field, _HANDLERS)
    for number in _NUMBERS:
        if probe.get(number, 0) < 0:
            yield invalid(f"{field}.{number}", probe[number], _NOT_NEGATIVE)
    if name != "readinessProbe" and probe.get("successThreshold", 1) != 1:
        yield invalid(f"{field}.successThreshold", probe["successThreshold"], "must be 1")
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None:
        path = f"{field}.terminationGracePeriodSeconds"
        if name == "readinessProbe":
            yield invalid(path, grace, "must not be set for readinessProbes")
        elif grace <= 0:
            yield invalid(path, grace, "must be greater than 0")


def check_lifecycle(lifecycle: Object, field: str, grace: int) -> Iterator[Cause]:
    """`grace` is the number of seconds that the pod has for its end."""
    for name, hook in lifecycle.items():
        if not isinstance(hook, dict):
            continue
        yield from _check_handler(hook, f"{field}.{name}", _HOOK_HANDLERS)
        seconds = (hook.get("sleep") or {}).get("seconds", 0)
        if not 0 <= seconds <= grace:
            detail = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            yield invalid(f"{field}.{name}.sleep", seconds, detail)


def _check_handler(handler: Object, field: str, choices: tuple[str, ...]) -> Iterator[Cause]:
    chosen = [name for name in choices if name in handler]
    if not chosen:
        yield required(field, "must specify a handler type")
    for name in chosen[1:]:
        yield forbidden(f"{field}.{name}", "may not specify more than 1 handler type")
    for name in chosen[:1]:
        yield from _check_action(name, handler[name], f"{field}.{name}")


def _check_action(name: str, action: Object, field: str) -> Iterator[Cause]:
    if name == "exec" and not action.get("command"):
        yield required(f"{field}.command")
    elif name == "grpc":
        if not is_port(action.get("port", 0)):
            yield invalid(f"{field}.port", action.get("port", 0), PORT_RANGE)
    elif name in ("httpGet", "tcpSocket"):
        yield from check_port_reference(action.get("port", 0), f"{field}.port")
    if name == "httpGet":
        yield from _check_request(action, field)


def _check_request(action: Object, field: str) -> Iterator[Cause]:
    if not action.get("path"):
        yield required(f"{field}.path")
    scheme = action.get("scheme", "")
    if scheme not in _SCHEMES:
        yield unsupported(f"{field}.scheme", scheme, _SCHEMES)
    for header in action.get("httpHeaders") or ():
        if not _HEADER.fullmatch(header.get("name", "")):
            yield invalid(f"{field}.httpHeaders", header.get("name", ""), _HEADER_MESSAGE)
