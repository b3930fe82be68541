"""What Docker's options of `macvlan` and `ipvlan` networks say. Pure.

A container on such a network has an interface that stands on one of the machine's, its parent,
and speaks with the parent's neighbours as a machine of its own. A parent `eth0.10` is the VLAN 10
of `eth0` and is made if it isn't there; without a parent an interface that leads nowhere is made.
"""

import re
from collections.abc import Collection, Mapping

from sampan.engine.contract import Forbidden, InvalidConfiguration
from sampan.engine.networks.driver_options import driver_mtu, interface_prefix
from sampan.engine.networks.record import NetworkRecord, ParentOptions
from sampan.network.bridges.contract import ChildKind, ParentLink

_MODES: dict[ChildKind, tuple[str, ...]] = {
    "macvlan": ("bridge", "private", "vepa", "passthru"),
    "ipvlan": ("l2", "l3", "l3s"),
}
_FLAGS = ("bridge", "private", "vepa")
_PARENT = "parent"
_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")
_LOOPBACK = "lo"
_LARGEST_TAG = 4094


def parent_options(kind: ChildKind, options: Mapping[str, str], device: str) -> ParentOptions:
    """The options as values; `device` is the name of a parent that leads nowhere.

    The first mode is the one that holds if nothing is said. Options of other drivers are
    ignored, as Docker has it. Raises InvalidConfiguration.
    """
    mode = options.get(f"{kind}_mode") or _MODES[kind][0]
    if mode not in _MODES[kind]:
        raise InvalidConfiguration(
            f"requested {kind} mode '{mode[:40]}' is not valid, '{_MODES[kind][0]}' mode is the "
            f"{kind} driver default"
        )
    flag = options.get("ipvlan_flag") or _FLAGS[0]
    if flag not in _FLAGS:
        raise InvalidConfiguration(
            f"requested ipvlan flag '{flag[:40]}' is not valid, 'bridge' flag is the ipvlan driver "
            "default"
        )
    return ParentOptions(
        kind=kind,
        mode=mode,
        flag=flag if kind == "ipvlan" else "",
        parent=_parent(options.get(_PARENT, ""), kind, device),
        mtu=driver_mtu(options),
        interface_prefix=interface_prefix(options),
    )


def _parent(name: str, kind: ChildKind, device: str) -> ParentLink:
    if not name:
        return ParentLink(device=device, made="dummy")
    if name == _LOOPBACK:
        raise InvalidConfiguration(f"loopback interface is not a valid {kind} parent link")
    if not _FORM.fullmatch(name):
        raise InvalidConfiguration(f"invalid parent {name[:40]!r}: it can't be an interface's name")
    below, _, tag = name.rpartition(".")
    if below and tag.isdecimal():
        if not 0 < int(tag) <= _LARGEST_TAG:
            raise InvalidConfiguration(
                f"a vlan id of {tag[:8]} is not valid: use one from 1 to {_LARGEST_TAG}"
            )
        return ParentLink(device=name, made="vlan", below=below, tag=int(tag))
    return ParentLink(device=name)


def check_parent(options: ParentOptions, networks: Collection[NetworkRecord]) -> None:
    """An interface is the parent of one network. Raises Forbidden."""
    for network in networks:
        if network.parent is not None and network.parent.device == options.device:
            raise Forbidden(
                f"network {network.name} is already using parent interface {options.device}"
            )
