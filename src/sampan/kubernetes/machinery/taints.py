"""When a pod tolerates what a node is tainted with: the rule of core/v1 Toleration.

Readers have views of their own of both; this knows only the fields that the rule reads.
"""

from typing import Protocol


class Taint(Protocol):
    """A taint as any reader sees it."""

    @property
    def key(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def effect(self) -> str: ...


class Toleration(Protocol):
    """A toleration as any reader sees it; empty fields match everything."""

    @property
    def key(self) -> str: ...
    @property
    def operator(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def effect(self) -> str: ...


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether a toleration matches a taint; `Exists` needs no value, and no key for all."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    return bool(toleration.key) and toleration.value == taint.value
