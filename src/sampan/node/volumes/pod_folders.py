"""The volumes of one pod on the node's disk and in memory.

Two folders a pod: one on the disk (emptyDir) and one in memory (what comes from the API:
configuration, secrets, tokens; generated files). This module makes, updates and removes them,
and says which host paths a container mounts. It asks nobody for objects or tokens; it is
handed them.
"""

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from sampan.engine.configuration import Mount
from sampan.host import mounts
from sampan.host.tree_removal import remove_tree
from sampan.node.environment import expand
from sampan.node.pod_view import Container, HostPathVolume, Pod, Volume, VolumeMount
from sampan.node.quality_of_service import whole
from sampan.node.references import MissingReference, Surroundings
from sampan.node.volumes import atomic_folder, sub_path
from sampan.node.volumes.payload import Credentials, is_configuration, payload

_HOST_PATH_CHECKS = {
    "Directory": stat.S_ISDIR,
    "DirectoryOrCreate": stat.S_ISDIR,
    "File": stat.S_ISREG,
    "FileOrCreate": stat.S_ISREG,
    "Socket": stat.S_ISSOCK,
    "CharDevice": stat.S_ISCHR,
    "BlockDevice": stat.S_ISBLK,
}


class PodFolders:
    """`disk` and `memory` are this pod's own folders."""

    def __init__(self, disk: Path, memory: Path) -> None:
        self.disk = disk
        self.memory = memory

    def make(self, pod: Pod) -> None:
        """Make the folders and the volumes that need nothing from the API. Raises OSError,
        MissingReference."""
        self.memory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for volume in pod.spec.volumes:
            if volume.host_path:
                _check_host_path(volume.host_path)
            elif volume.empty_dir:
                self._make_empty(pod, volume)
            elif not is_configuration(volume):
                raise MissingReference(f"the kind of volume {volume.name!r} is not supported")

    def _make_empty(self, pod: Pod, volume: Volume) -> None:
        folder = self.path(volume)
        if folder.exists():
            return
        folder.mkdir(mode=0o777, parents=True)
        source = volume.empty_dir
        if _is_in_memory(volume):
            size = whole(source.size_limit) if source and source.size_limit else 0
            mounts.mount_tmpfs(str(folder), size=size, mode=0o777)
        group = pod.spec.security_context.fs_group
        if group is not None:
            os.chown(folder, -1, group)
        folder.chmod(0o2777 if group is not None else 0o777)

    def path(self, volume: Volume) -> Path:
        """Where a volume lies on the node."""
        if volume.host_path:
            return Path(volume.host_path.path)
        in_memory = is_configuration(volume) or _is_in_memory(volume)
        base = self.memory if in_memory else self.disk
        return base / "volumes" / volume.name

    def update(
        self,
        pod: Pod,
        around: Surroundings,
        credentials: Credentials,
        version: str,
    ) -> bool:
        """Write what comes from the API; True when anything changed.

        Raises MissingReference for the first volume that lacks something, when the others are
        written.
        """
        group = pod.spec.security_context.fs_group
        changed = False
        missing: list[MissingReference] = []
        for volume in filter(is_configuration, pod.spec.volumes):
            try:
                files = payload(pod, volume, around, credentials)
            except MissingReference as error:
                missing.append(error)
            else:
                changed |= atomic_folder.write(self.path(volume), files, version, group)
        if missing:
            raise missing[0]
        return changed

    def write_file(self, name: str, text: str) -> Path:
        """A generated file (hosts, resolv.conf) that containers bind."""
        path = self.memory / name
        if not path.exists() or path.read_text() != text:
            # Kept in place: what is bound into containers is the file, not its name.
            path.write_text(text)
            path.chmod(0o644)
        return path

    def container_mounts(
        self, pod: Pod, container: Container, environment: Mapping[str, str]
    ) -> tuple[Mount, ...]:
        """The mounts of a container's volumes. Raises MissingReference, OSError."""
        volumes = {volume.name: volume for volume in pod.spec.volumes}
        return tuple(
            self._mount(volumes[item.name], item, container, number, environment)
            for number, item in enumerate(container.volume_mounts)
        )

    def _mount(
        self,
        volume: Volume,
        wanted: VolumeMount,
        container: Container,
        number: int,
        environment: Mapping[str, str],
    ) -> Mount:
        source = self.path(volume)
        part = wanted.sub_path or expand(wanted.sub_path_expr, environment)
        if part:
            target = self.disk / "parts" / container.name / str(number)
            _detach(target)
            sub_path.bind_part(source, part, target)
            source = target
        read_only = wanted.read_only or is_configuration(volume)
        return Mount(source=str(source), target=wanted.mount_path, read_only=read_only)

    def remove(self) -> None:
        """Unmount and delete everything; no error for what isn't there. Raises OSError."""
        for folder in (self.disk, self.memory):
            for place in (*folder.glob("parts/*/*"), *folder.glob("volumes/*")):
                _detach(place)
        for folder in (self.disk, self.memory):
            if folder.exists():
                remove_tree(folder)


def _is_in_memory(volume: Volume) -> bool:
    return volume.empty_dir is not None and volume.empty_dir.medium == "Memory"


def _detach(place: Path) -> None:
    """Take away whatever is mounted at a place that only the node writes to. Raises OSError."""
    while place.exists():
        try:
            mounts.unmount(place, lazily=True)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return
            raise


def _check_host_path(source: HostPathVolume) -> None:
    path = Path(source.path)
    if source.type == "DirectoryOrCreate":
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    elif source.type == "FileOrCreate":
        path.touch(mode=0o644)
    check = _HOST_PATH_CHECKS.get(source.type)
    if check and not (path.exists() and check(path.stat().st_mode)):
        raise MissingReference(f"hostPath type check failed: {path} is not a {source.type}")
