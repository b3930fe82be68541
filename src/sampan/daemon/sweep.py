"""Taking an instance off the machine by its names alone, whoever is still there to help.

Everything that an instance makes carries a name that follows from its own: control groups,
interfaces, nftables tables, folders. What bears such a name is ended and removed; only the state
and configuration folders stay.
"""

import contextlib
import errno
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sampan.daemon import groups, private_bridge
from sampan.daemon.node_list import MACHINE_NODE, node_name
from sampan.daemon.process_records import ProcessRecords
from sampan.engine.networks.settings import network_settings
from sampan.foundation.settings import Instance
from sampan.host.cgroups import ControlGroups, control_groups
from sampan.host.mounts import mount_entries, unmount
from sampan.host.netlink import Netlink
from sampan.host.nftables import Nftables, NftablesError
from sampan.host.tree_removal import remove_tree
from sampan.network.bridges.removal import remove_bridges
from sampan.network.forward_policy import ForwardPolicy
from sampan.network.ruleset import Ruleset

_STOP_SECONDS = 30.0
_BUSY_SECONDS = 5.0
_BUSY_PAUSE = 0.01
_TABLE_FAMILIES = ("ip", "inet", "bridge")


def sweep(instance: Instance) -> tuple[str, ...]:
    """Remove everything but state and configuration; tells what could not be removed."""
    failures: list[str] = []

    def attempt(step: Callable[[], None]) -> None:
        try:
            step()
        except (OSError, NftablesError) as failure:
            failures.append(str(failure))

    machine = control_groups()
    attempt(lambda: _stop_nodes(instance))
    attempt(lambda: _end_group(machine, instance.cgroup))
    attempt(lambda: _remove_bridges(instance))
    attempt(lambda: _remove_links(_links_of(instance)))
    attempt(lambda: _remove_routes(instance))
    tables = (instance.packet_table, private_bridge.packet_table(instance))
    attempt(lambda: _remove_tables(tables))
    attempt(lambda: _forget_forwarding(instance))
    attempt(lambda: _unmount_below(instance.run_folder))
    attempt(lambda: _unmount_below(instance.state_folder))
    attempt(lambda: _remove_folder(instance.run_folder))
    return tuple(failures)


def clear_node(instance: Instance, number: int, machine: ControlGroups) -> None:
    """Remove what a node whose holder has ended left, but for its disk. Raises OSError."""
    _end_group(machine, groups.node(instance, number))
    private_bridge.cut_link(instance, number)
    if number == MACHINE_NODE:
        kept = private_bridge.link_name(instance, number).removesuffix(str(number))
        others = (kept, *_container_interfaces(instance))
        names = (name for name in _links_of(instance) if not name.startswith(others))
        _remove_links([name for name in names if name != private_bridge.bridge_name(instance)])
        _remove_routes(instance)
        _remove_tables((instance.packet_table,))
        _forget_forwarding(instance)
    _remove_folder(instance.run_folder / "nodes" / node_name(number))


def _stop_nodes(instance: Instance) -> None:
    """Let the holders that no supervisor ended stop their containers in order."""
    folder = instance.run_folder / "processes"
    if not folder.exists():
        return
    records = ProcessRecords(folder)
    poll = select.poll()
    waiting = 0
    for role in records.roles():
        living = records.living(role) if role.startswith("node-") else None
        if living:
            signal.pidfd_send_signal(living[1], signal.SIGTERM)
            poll.register(living[1], select.POLLIN)
            waiting += 1
    while waiting:
        ended = poll.poll(_STOP_SECONDS * 1000)
        if not ended:
            return
        for descriptor, _ in ended:
            poll.unregister(descriptor)
            waiting -= 1


def _end_group(machine: ControlGroups, group: str) -> None:
    """A group stays busy for a moment after the last process that it shows has gone."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while machine.exists(group):
        machine.kill_all(group)
        try:
            machine.remove(group)
        except OSError as failure:
            if failure.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(_BUSY_PAUSE)


def _links_of(instance: Instance) -> list[str]:
    prefix = instance.interface("")
    with Netlink() as netlink:
        return [link.name for link in netlink.links() if link.name.startswith(prefix)]


def _remove_links(names: Iterable[str]) -> None:
    with Netlink() as netlink:
        for name in names:
            netlink.delete_link(name)


def _container_interfaces(instance: Instance) -> tuple[str, str]:
    """What the names of the bridges and ports of containers run by hand begin with."""
    settings = network_settings(instance, {})
    return settings.device_prefix, settings.bridges.port_prefix


def _remove_bridges(instance: Instance) -> None:
    """Those of containers run by hand, which may bear names that a person chose."""
    with Netlink() as netlink:
        remove_bridges(network_settings(instance, {}).bridges.table, Ruleset(), netlink)


def _remove_routes(instance: Instance) -> None:
    with Netlink() as netlink:
        netlink.remove_route(instance.pod_range)
        netlink.remove_route(instance.service_range)


def _remove_tables(names: Iterable[str]) -> None:
    with Nftables() as rules:
        for name in names:
            for family in _TABLE_FAMILIES:
                # nft deletes no table that is not there: make it, then delete it, in one step
                table = f"table {family} {name}"
                rules.run(f"add {table}; delete {table}")


def _forget_forwarding(instance: Instance) -> None:
    """Take our rules out of a FORWARD chain that is somebody else's."""
    interfaces = (
        instance.interface("pods"),
        instance.interface("vxlan"),
        private_bridge.bridge_name(instance),
    )
    ForwardPolicy(Ruleset(), interfaces, instance.packet_table).take_down()


def _unmount_below(folder: Path) -> None:
    for target in reversed(list(_mounts_below(folder))):
        unmount(target, lazily=True)


def _mounts_below(folder: Path) -> Iterator[str]:
    for entry in mount_entries():
        if Path(entry.target).is_relative_to(folder):
            yield entry.target


def _remove_folder(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        remove_tree(folder)
