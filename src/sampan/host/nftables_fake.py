"""A ruleset in memory that stands for the kernel's: tables, chains, elements, generations.

It understands the commands that this project gives, refuses what the kernel would refuse
(deleting what is not there, adding an element twice with other data), does all of a transaction
or nothing, and counts transactions. It judges no packets.
"""

import errno
import re
from collections.abc import Iterable, Iterator

import msgspec

from sampan.host.netlink_message import NetlinkError
from sampan.host.nftables import NftablesError
from sampan.host.nftables_netlink import Element, ElementChange, Rule

_COMMENT = re.compile(r'comment "([^"]*)"')
_POLICY = re.compile(r"policy (accept|drop)")

TableName = tuple[str, str]
_Words = list[str]


class FakeTable(msgspec.Struct):
    """One table: chains with their rules in order, policies, and sets with their elements."""

    chains: dict[str, list[Rule]] = {}
    policies: dict[str, str] = {}
    sets: dict[str, dict[bytes, Element]] = {}

    def copy(self) -> "FakeTable":
        return FakeTable(
            chains={name: list(rules) for name, rules in self.chains.items()},
            policies=dict(self.policies),
            sets={name: dict(elements) for name, elements in self.sets.items()},
        )


class FakeRules:
    """Answers like KernelRules, from memory."""

    def __init__(self) -> None:
        self.tables: dict[TableName, FakeTable] = {}
        self.transactions = 0
        self._handles = 0

    def close(self) -> None:
        """Nothing is held."""

    def generation(self) -> int:
        return self.transactions

    def rules(self, family: str, table: str, chain: str | None = None) -> list[Rule]:
        found = self.tables.get((family, table), FakeTable())
        return [
            rule for name, rules in found.chains.items() if chain in (None, name) for rule in rules
        ]

    def policy(self, family: str, table: str, chain: str) -> str | None:
        found = self.tables.get((family, table), FakeTable())
        return found.policies.get(chain)

    def elements(self, family: str, table: str, set_name: str) -> list[Element]:
        if (family, table) not in self.tables:
            raise NetlinkError(errno.ENOENT, f"there is no table {table}")
        return list(self.tables[family, table].sets[set_name].values())

    def apply(self, changes: Iterable[ElementChange]) -> None:
        """Change elements as one transaction (NetlinkError)."""
        changed = {name: table.copy() for name, table in self.tables.items()}
        count = 0
        for change in changes:
            count += 1
            try:
                elements = changed[change.family, change.table].sets[change.set_name]
            except KeyError:
                raise NetlinkError(errno.ENOENT, f"no set {change.set_name}") from None
            for element in change.elements:
                _change_element(elements, element, delete=change.delete)
        if count:
            self.tables = changed
            self.transactions += 1

    def run(self, commands: str) -> None:
        """Do commands as one transaction (NftablesError)."""
        before = {name: table.copy() for name, table in self.tables.items()}
        try:
            lines = iter([line.strip() for line in commands.splitlines() if line.strip()])
            for line in lines:
                self._command(line, lines)
        except (KeyError, ValueError) as problem:
            self.tables = before
            raise NftablesError(f"no such object: {problem}") from None
        self.transactions += 1

    def _command(self, line: str, lines: Iterator[str]) -> None:
        words = line.split()
        match words:
            case ["table", family, table]:
                self.tables.setdefault((family, table), FakeTable())
            case ["table", family, table, "{"]:
                self._block(self.tables.setdefault((family, table), FakeTable()), lines)
            case ["flush", "ruleset"]:
                self.tables.clear()
            case ["delete", "table", family, table]:
                del self.tables[family, table]
            case ["flush", "table", family, table]:
                for rules in self.tables[family, table].chains.values():
                    rules.clear()
            case [action, kind, family, table, *rest]:
                self._object(action, kind, self.tables[family, table], rest, line)
            case _:
                raise ValueError(line)

    def _object(self, action: str, kind: str, table: FakeTable, rest: _Words, line: str) -> None:
        name = rest[0]
        match action, kind:
            case "add", "chain":
                table.chains[name] = []
                if policy := _POLICY.search(line):
                    table.policies[name] = policy[1]
            case "flush", "chain":
                table.chains[name].clear()
            case "delete", "chain":
                del table.chains[name]
            case "add", "set":
                table.sets[name] = {}
            case "flush", "set":
                table.sets[name].clear()
            case "delete", "set":
                del table.sets[name]
            case "add", "rule":
                table.chains[name].append(self._rule(name, line))
            case "insert", "rule":
                table.chains[name].insert(0, self._rule(name, line))
            case "delete", "rule":
                handle = int(rest[2])
                rules = table.chains[name]
                rules.remove(next(rule for rule in rules if rule.handle == handle))
            case _:
                raise ValueError(line)

    def _rule(self, chain: str, line: str) -> Rule:
        self._handles += 1
        comment = _COMMENT.search(line)
        return Rule(self._handles, chain, comment[1] if comment else "")

    def _block(self, table: FakeTable, lines: Iterator[str]) -> None:
        for line in lines:
            if line == "}":
                return
            kind, name, *_ = line.split()
            if kind == "chain":
                table.chains[name] = []
                self._chain(table, name, lines)
            else:
                # As in the kernel, one that is there already keeps what it holds.
                table.sets.setdefault(name, {})
                _until_closed(line, lines)

    def _chain(self, table: FakeTable, name: str, lines: Iterator[str]) -> None:
        for line in lines:
            if line == "}":
                return
            if line.startswith("type "):
                policy = _POLICY.search(line)
                table.policies[name] = policy[1] if policy else "accept"
            else:
                table.chains[name].append(self._rule(name, line))


def _until_closed(line: str, lines: Iterator[str]) -> None:
    depth = line.count("{") - line.count("}")
    while depth:
        line = next(lines)
        depth += line.count("{") - line.count("}")


def _change_element(elements: dict[bytes, Element], element: Element, *, delete: bool) -> None:
    present = elements.get(element.key)
    if delete:
        if present is None:
            raise NetlinkError(errno.ENOENT, "there is no such element")
        del elements[element.key]
    elif present is None:
        elements[element.key] = element
    elif present != element:
        raise NetlinkError(errno.EEXIST, "there is another element with this key")
