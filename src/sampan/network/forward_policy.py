"""Living beside Docker, whose FORWARD chain drops what it does not know.

Docker (through iptables) makes a chain `FORWARD` with the policy drop in the table `ip filter`,
and lets bridged frames pass it too. Where there is such a chain, and only there, rules that
accept what enters or leaves our own interfaces are put in front. Rules of the older
xtables kind are out of nftables' reach.
"""

from sampan.network.ruleset import Ruleset

_CHAIN = ("ip", "filter", "FORWARD")
_DIRECTIONS = ("iifname", "oifname")


class ForwardPolicy:
    """A part of the ruleset: what a foreign FORWARD chain must let through."""

    def __init__(self, ruleset: Ruleset, interfaces: tuple[str, ...], owner: str) -> None:
        """`owner` begins the comment by which the rules are known again."""
        self._ruleset = ruleset
        self._owner = owner
        self._interfaces = interfaces

    def _missing(self) -> list[tuple[str, str]]:
        if self._ruleset.policy(*_CHAIN) != "drop":
            return []
        present = {rule.comment for rule in self._ruleset.rules(*_CHAIN)}
        return [
            (direction, interface)
            for direction in _DIRECTIONS
            for interface in self._interfaces
            if self._comment(direction, interface) not in present
        ]

    def _comment(self, direction: str, interface: str) -> str:
        return f"{self._owner} {direction} {interface}"

    def intact(self) -> bool:
        return not self._missing()

    def build(self) -> None:
        """Put what is missing in front of the chain (NftablesError)."""
        commands = [
            f'insert rule {" ".join(_CHAIN)} {direction} "{interface}" accept '
            f'comment "{self._comment(direction, interface)}"'
            for direction, interface in self._missing()
        ]
        if commands:
            self._ruleset.run("\n".join(commands))

    def take_down(self) -> None:
        """Remove our rules from the chain; no error if there is none (NftablesError)."""
        own = {
            self._comment(direction, interface)
            for direction in _DIRECTIONS
            for interface in self._interfaces
        }
        commands = [
            f"delete rule {' '.join(_CHAIN)} handle {rule.handle}"
            for rule in self._ruleset.rules(*_CHAIN)
            if rule.comment in own
        ]
        if commands:
            self._ruleset.run("\n".join(commands))
