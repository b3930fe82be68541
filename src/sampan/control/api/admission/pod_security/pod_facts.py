"""What the standards ask of a pod: its containers, and the settings that one may inherit. Pure."""

from collections.abc import Callable, Iterator
from typing import Any

from sampan.kubernetes.kinds.kind import Object

_LISTS = ("initContainers", "containers", "ephemeralContainers")


class PodFacts:
    """A pod's metadata and spec, as the standards look at them."""

    def __init__(self, metadata: Object, spec: Object) -> None:
        self.annotations: dict[str, str] = metadata.get("annotations") or {}
        self.spec = spec
        self.security: Object = spec.get("securityContext") or {}

    @property
    def containers(self) -> Iterator[Object]:
        for name in _LISTS:
            yield from self.spec.get(name) or ()

    @property
    def is_windows(self) -> bool:
        return bool((self.spec.get("os") or {}).get("name") == "windows")

    @property
    def has_own_users(self) -> bool:
        """Whether its users are none of the host's (KEP-127)."""
        return self.spec.get("hostUsers") is False

    def containers_where(self, bad: Callable[[Object], bool]) -> list[str]:
        """The names of the containers whose security context is bad."""
        return [it["name"] for it in self.containers if bad(it.get("securityContext") or {})]

    def values(self, key: str) -> Iterator[tuple[str, Any]]:
        """A setting of the pod's and of each container's security context, with whose it is."""
        owners = [("pod", self.security)]
        owners += [(it["name"], it.get("securityContext") or {}) for it in self.containers]
        for owner, context in owners:
            if context.get(key) is not None:
                yield owner, context[key]


def named(names: list[str], what: str = "container") -> str:
    """`container "a"`, `containers "a", "b"`."""
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"{what}s {quoted}" if len(names) > 1 else f"{what} {quoted}"


def owners(found: list[str]) -> str:
    """`pod`, `container "a"`, `pod and containers "a", "b"`."""
    containers = [name for name in found if name != "pod"]
    parts = ["pod"] if "pod" in found else []
    parts += [named(containers)] if containers else []
    return " and ".join(parts)


def quoted_set(values: set[str]) -> str:
    return ", ".join(f'"{value}"' for value in sorted(values))
