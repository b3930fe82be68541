"""The tables that one node keeps in the kernel, and how it notices that somebody took them.

The kernel counts every transaction of anybody. As long as the count is what our own made of
it, nothing needs to be looked at; otherwise each part is checked, and built anew if need be.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from sampan.host.nftables import KernelRules
from sampan.host.nftables_netlink import Element, ElementChange, Rule


class RulePart(Protocol):
    """A part of the ruleset with an owner who can build all of it."""

    def build(self) -> None:
        """Make the whole part what it should be, in the kernel."""

    def intact(self) -> bool:
        """Whether the kernel still has it."""


class Rules(Protocol):
    """What a kernel (or what stands for it) can be asked."""

    def generation(self) -> int: ...
    def rules(self, family: str, table: str, chain: str | None = None) -> list[Rule]: ...
    def policy(self, family: str, table: str, chain: str) -> str | None: ...
    def elements(self, family: str, table: str, set_name: str) -> list[Element]: ...
    def apply(self, changes: Iterable[ElementChange]) -> None: ...
    def run(self, commands: str) -> None: ...
    def close(self) -> None: ...


class Ruleset:
    """The parts of one node. Changes raise NftablesError or NetlinkError and change nothing.

    May be used from several threads, one at a time.
    """

    def __init__(self, rules: Rules | None = None) -> None:
        """`rules` are those of the calling thread's network namespace unless given."""
        self._lock = threading.RLock()
        self._kernel = rules or KernelRules()
        self._parts: list[RulePart] = []
        self._generation: int | None = self._kernel.generation()

    def exclusive(self) -> AbstractContextManager[object]:
        """Keep other threads out for the length of a `with`."""
        return self._lock

    def close(self) -> None:
        """Let go of the kernel; the rules stay."""
        self._kernel.close()

    def add(self, part: RulePart) -> None:
        """Keep this part from now on (it is not built by this)."""
        if part not in self._parts:
            self._parts.append(part)

    def discard(self, part: RulePart) -> None:
        """Keep it no more (it is not taken down by this)."""
        if part in self._parts:
            self._parts.remove(part)

    def run(self, commands: str) -> None:
        """Do these commands of nft(8) in one transaction."""
        self._counted(lambda: self._kernel.run(commands))

    def apply(self, changes: Iterable[ElementChange]) -> None:
        """Change elements of sets and maps in one transaction."""
        self._counted(lambda: self._kernel.apply(changes))

    def _counted(self, change: Callable[[], None]) -> None:
        """Nobody else may have slipped in between, or the next look is a thorough one."""
        with self._lock:
            expected = self._generation
            change()
            current = self._kernel.generation()
            in_order = expected is not None and current in (expected, expected + 1)
            self._generation = current if in_order else None

    def rules(self, family: str, table: str, chain: str | None = None) -> list[Rule]:
        """The rules of a table or chain; none if it does not exist."""
        with self._lock:
            return self._kernel.rules(family, table, chain)

    def elements(self, family: str, table: str, set_name: str) -> list[Element]:
        """What a set or map holds now."""
        with self._lock:
            return self._kernel.elements(family, table, set_name)

    def policy(self, family: str, table: str, chain: str) -> str | None:
        """The policy of a base chain; None if it does not exist."""
        with self._lock:
            return self._kernel.policy(family, table, chain)

    def restore(self) -> bool:
        """Build anew every part that is not intact; True if there was one."""
        with self._lock:
            return self._restore()

    def _restore(self) -> bool:
        current = self._kernel.generation()
        if current == self._generation:
            return False
        self._generation = current
        missing = [part for part in self._parts if not part.intact()]
        try:
            for part in missing:
                part.build()
        except Exception:
            self._generation = None
            raise
        return bool(missing)
