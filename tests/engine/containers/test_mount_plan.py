"""What is mounted in a container, out of all the ways to ask for it."""

import pytest

from sampan.engine.containers.configuration import (
    Configuration,
    HostConfiguration,
    Mount,
    TmpfsOptions,
)
from sampan.engine.containers.mount_plan import PlannedMount, planned_mounts, shown
from sampan.engine.contract import InvalidConfiguration


def plan(
    host: HostConfiguration,
    volumes: tuple[str, ...] = (),
    others: dict[str, tuple[PlannedMount, ...]] | None = None,
) -> dict[str, PlannedMount]:
    configuration = Configuration(volumes={volume: {} for volume in volumes})
    return {mount.target: mount for mount in planned_mounts(configuration, host, others or {})}


def test_binds_and_volumes_are_told_apart_by_the_slash() -> None:
    found = plan(HostConfiguration(binds=("/srv:/a:ro,rslave", "data:/b", "/c", "data:/d:nocopy")))
    assert found["/a"].source == "/srv"
    assert (found["/a"].writable, found["/a"].propagation) == (False, "rslave")
    assert found["/a"].create_source
    assert (found["/b"].kind, found["/b"].name, found["/b"].mode) == ("volume", "data", "z")
    assert (found["/c"].kind, found["/c"].name) == ("volume", "")
    assert not found["/d"].copies_content


def test_own_mounts_replace_those_of_images_and_of_other_containers() -> None:
    other = PlannedMount(kind="volume", name="theirs", target="/data")
    host = HostConfiguration(volumes_from=("them:ro",), binds=("/mine:/logs",))
    found = plan(host, ("/data", "/logs", "/new"), {"them": (other,)})
    assert (found["/data"].name, found["/data"].writable) == ("theirs", False)
    assert found["/logs"].kind == "bind"
    assert found["/new"].name == ""


def test_tmpfs_comes_in_two_ways_of_which_one_is_listed() -> None:
    mount = Mount(kind="tmpfs", target="/b", tmpfs_options=TmpfsOptions(size_bytes=5, mode=0o700))
    found = plan(HostConfiguration(tmpfs={"/a": "size=1m,mode=755,noexec,ro"}, mounts=(mount,)))
    assert (found["/a"].size, found["/a"].permissions) == (1 << 20, 0o755)
    assert found["/a"].options == ("noexec",)
    assert not found["/a"].writable
    assert not found["/a"].listed
    assert (found["/b"].size, found["/b"].permissions, found["/b"].listed) == (5, 0o700, True)


def test_an_inspection_shows_what_docker_shows() -> None:
    bind = plan(HostConfiguration(binds=("/srv:/a",)))["/a"]
    point = shown(bind, "/srv")
    assert (point.kind, point.source, point.driver) == ("bind", "/srv", "")
    assert (point.propagation, point.writable) == ("rprivate", True)


@pytest.mark.parametrize(
    ("host", "message"),
    [
        (HostConfiguration(binds=("a:b:c:d",)), "invalid volume specification"),
        (HostConfiguration(binds=("/a:/b:rwx",)), "invalid mode: rwx"),
        (HostConfiguration(binds=("../up:/b",)), "invalid characters"),
        (HostConfiguration(binds=("/a:b",)), "mount path must be absolute"),
        (HostConfiguration(binds=("/a:/",)), "destination can't be '/'"),
        (HostConfiguration(binds=("/a:/b", "/c:/b")), "Duplicate mount point: /b"),
        (HostConfiguration(mounts=(Mount(kind="bind", target="/a"),)), "Source must not be empty"),
        (HostConfiguration(mounts=(Mount(kind="bind", source="x", target="/a"),)), "absolute"),
        (HostConfiguration(mounts=(Mount(kind="odd", target="/a"),)), "mount type unknown"),
        (HostConfiguration(tmpfs={"/a": "size=much"}), "invalid tmpfs option"),
        (HostConfiguration(tmpfs={"/a": "lowerdir=/etc"}), "invalid tmpfs option"),
    ],
)
def test_what_can_not_be_mounted_is_refused(host: HostConfiguration, message: str) -> None:
    with pytest.raises(InvalidConfiguration, match=message):
        plan(host)
