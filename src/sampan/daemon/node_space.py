"""The namespaces in which a node lives.

The machine's node shares all of the machine's but has mounts of its own; every other node is a
host of its own, with its own network, mounts, host name, processes and IPC.
"""

import os
from pathlib import Path

from sampan.daemon import private_bridge
from sampan.daemon.node_list import name_in_cluster, node_name
from sampan.foundation.settings import Instance
from sampan.host.cgroups import ControlGroups
from sampan.host.mounts import (
    hide_unified_hierarchy,
    mount_bind,
    mount_proc,
    mount_sysfs,
    stop_propagation,
    unmount,
)
from sampan.host.namespaces import NamespaceKind, set_hostname, setns, unshare
from sampan.host.netlink import Netlink

_OWN_HOST = (
    NamespaceKind.MOUNT
    | NamespaceKind.NETWORK
    | NamespaceKind.UTS
    | NamespaceKind.IPC
    | NamespaceKind.PID
)
_CONTROL_GROUPS = "/sys/fs/cgroup"


def enter_own_mounts(group: str, groups: ControlGroups) -> None:
    """Have mounts of one's own: those that processes of the group already have, else new ones.

    Containers keep a mount namespace alive when the process that made it has died; whoever
    takes its place must see the same mounts. Raises OSError.
    """
    own = os.stat("/proc/self/ns/mnt").st_ino
    for process in sorted(groups.processes(group) - {os.getpid()}):
        try:
            descriptor = os.open(f"/proc/{process}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, ProcessLookupError):
            continue
        try:
            if os.fstat(descriptor).st_ino != own:
                setns(descriptor, NamespaceKind.MOUNT)
                return
        finally:
            os.close(descriptor)
    unshare(NamespaceKind.MOUNT)
    stop_propagation(receive=True)
    hide_unified_hierarchy()


def leave_machine(instance: Instance, number: int) -> None:
    """Become a host of one's own, linked to the private bridge; children are in its processes.

    Raises OSError.
    """
    with Netlink() as machine:
        unshare(_OWN_HOST)
        stop_propagation(receive=True)
        set_hostname(name_in_cluster(instance, number))
        private_bridge.join(instance, number, machine)
    _mount_own_sysfs(instance.run_folder / "nodes" / node_name(number) / "cgroup")
    hide_unified_hierarchy()


def become_first_process() -> None:
    """In the first child after `leave_machine`: see the node's own processes in /proc."""
    mount_proc()


def _mount_own_sysfs(aside: Path) -> None:
    """Show the node's own interfaces in /sys; the control groups are the machine's."""
    aside.mkdir(parents=True, exist_ok=True, mode=0o700)
    mount_bind(_CONTROL_GROUPS, str(aside))
    unmount("/sys", lazily=True)
    mount_sysfs()
    mount_bind(str(aside), _CONTROL_GROUPS)
    unmount(aside, lazily=True)
    aside.rmdir()
