"""What a container may be given beyond the usual, seen from inside it."""

import json
import os
from pathlib import Path

import pytest
from isolation import Place, in_own_process

from sampan.engine.configuration import Device, Limits, Mount, ResourceLimit
from sampan.engine.container_engine import ContainerEngine
from sampan.engine.contract import Conflict, EngineError, ExecOptions, InvalidConfiguration
from sampan.host.identifier_map import IdentifierMap

pytestmark = pytest.mark.real


async def said(place: Place, engine: ContainerEngine, script: str, **settings: object) -> str:
    """What a script says in a container with these settings."""
    identifier = await engine.create(place.shell(script, **settings))
    try:
        await engine.start(identifier)
        await engine.wait(identifier)
        return place.log()
    finally:
        await engine.remove(identifier)
        Path(place.folder / "logs/test.log").unlink(missing_ok=True)


def test_devices_come_with_their_permissions(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        script = "(: 3>/dev/given) && echo written; (: 3</dev/given) && echo read"
        for permissions, lines in (
            ("r", ["read"]),
            ("w", ["written"]),
            ("rw", ["written", "read"]),
        ):
            device = Device(source="/dev/loop7", target="/dev/given", permissions=permissions)
            found = await said(place, engine, script, devices=(device,))
            assert [line for line in found.splitlines() if line in ("read", "written")] == lines
        assert "No such file" in await said(place, engine, "ls /dev/given")
        make = "perl -e '$path = \"/dev/own\"; syscall(133, $path, 060600, 0x707)'"
        own = f"{make}; (: 3</dev/own) && echo read"
        assert "read" not in await said(place, engine, own)
        assert "read" in await said(place, engine, own, device_rules=("b 7:* rwm",))
        for wrong in ({"devices": (Device(source="/dev/nosuch"),)}, {"device_rules": ("x",)}):
            with pytest.raises(EngineError):
                await said(place, engine, "true", **wrong)
        await engine.close()

    in_own_process(tmp_path, body)


def test_a_device_of_a_vendor_is_there_only_where_it_is_asked_for(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        library = place.folder / "library"
        library.write_text("the driver's library\n")
        _specify_devices(library)
        script = "cat /opt/vendor/library; ls /dev/accel0; echo $ACCEL $MODE"
        asked = await said(place, engine, script, cdi_devices=("example.org/accelerator=one",))
        assert "the driver's library" in asked
        assert "/dev/accel0" in asked
        assert "one shared" in asked
        without = await said(place, engine, script)
        assert "library" not in without.replace("/opt/vendor/library", "")
        assert "No such file" in without
        for unknown in ("example.org/accelerator=two", "nonsense"):
            with pytest.raises(InvalidConfiguration, match=unknown):
                await said(place, engine, script, cdi_devices=(unknown,))
        await engine.close()

    in_own_process(tmp_path, body)


def _specify_devices(library: Path) -> None:
    """In this mount namespace's own /etc/cdi and /run/cdi."""
    from sampan.engine.runtime import cdi_registry
    from sampan.host import mounts

    specification = {
        "cdiVersion": "0.6.0",
        "kind": "example.org/accelerator",
        "containerEdits": {
            "env": ["MODE=shared"],
            "mounts": [
                {
                    "hostPath": str(library),
                    "containerPath": "/opt/vendor/library",
                    "options": ["bind", "ro"],
                }
            ],
        },
        "devices": [
            {
                "name": "one",
                "containerEdits": {
                    "env": ["ACCEL=one"],
                    "deviceNodes": [{"path": "/dev/accel0", "hostPath": "/dev/loop6"}],
                },
            }
        ],
    }
    mounts.mount_tmpfs("/run")
    folder = cdi_registry.FOLDERS[1]
    folder.mkdir(parents=True)
    (folder / "broken.yaml").write_text("cdiVersion: [")
    (folder / "vendor.json").write_text(json.dumps(specification))


def test_an_init_is_the_first_process(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        script = "read -r first < /proc/1/cmdline; echo $first; echo $$; exit 9"
        identifier = await engine.create(place.shell(script, init=True))
        await engine.start(identifier)
        assert (await engine.wait(identifier)).exit_code == 9
        first, own = place.log().splitlines()
        assert first.startswith("/dev/init--/bin/sh")
        assert int(own) > 1
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_kernel_parameters_limits_and_names_are_the_containers_own(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        found = await said(
            place,
            engine,
            "cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_unprivileged_port_start "
            "/proc/sys/kernel/domainname; ulimit -n; ulimit -Hn; ulimit -c; "
            "cat /proc/self/oom_score_adj",
            sysctls={"kernel.msgmax": "4242", "net.ipv4.ip_unprivileged_port_start": "7"},
            domain_name="example.org",
            resource_limits=(ResourceLimit("nofile", 111, 222), ResourceLimit("core", 0, 0)),
            out_of_memory_score_adjustment=321,
        )
        assert found.splitlines() == ["4242", "7", "example.org", "111", "222", "0", "321"]
        await engine.close()

    in_own_process(tmp_path, body)


def test_memory_file_systems_have_the_options_that_are_asked_for(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        found = await said(
            place,
            engine,
            "cat /proc/mounts; echo x > /new || echo kept",
            mounts=(
                Mount(kind="tmpfs", target="/plain", size=1 << 20),
                Mount(kind="tmpfs", target="/own", options=("exec", "suid", "mode=700", "uid=5")),
            ),
            shared_memory_size=3 << 20,
            read_only_root=True,
        )
        lines = {
            line.split()[1]: line.split()[3]
            for line in found.splitlines()
            if " / " in line or "tmpfs" in line
        }
        assert "nosuid,nodev" in lines["/plain"]
        assert "size=1024k" in lines["/plain"]
        assert "nosuid" not in lines["/own"]
        assert "mode=700" in lines["/own"]
        assert "uid=5" in lines["/own"]
        assert "size=3072k" in lines["/dev/shm"]
        assert "kept" in found
        for wrong in (
            Mount(kind="tmpfs", target="/x", options=("size=1,lowerdir=/",)),
            Mount(kind="tmpfs", target="/x", options=("bind",)),
            Mount(source="/tmp", target="/proc/self"),
        ):
            with pytest.raises(InvalidConfiguration):
                await said(place, engine, "true", mounts=(wrong,))
        await engine.close()

    in_own_process(tmp_path, body)


def test_containers_share_memory_and_processes_when_both_agree(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        giver = await engine.create(
            place.shell("echo given > /dev/shm/x; sleep 100", "giver", ipc_mode="shareable")
        )
        keeper = await engine.create(place.shell("sleep 100", "keeper"))
        with pytest.raises(Conflict):
            await said(place, engine, "true", share_ipc_namespace_of=giver)
        for identifier in (giver, keeper):
            await engine.start(identifier)
        script = "cat /dev/shm/x; cat /proc/1/cmdline; ls /dev/shm"
        found = await said(
            place,
            engine,
            script,
            share_ipc_namespace_of=giver,
            share_process_namespace_of=giver,
        )
        assert found.startswith("given")
        assert "/dev/shm/x; sleep 100" in found
        with pytest.raises(Conflict, match="shareable"):
            await said(place, engine, "true", share_ipc_namespace_of=keeper)
        assert "No such file" in await said(place, engine, "ls /dev/shm", ipc_mode="none")
        for identifier in (giver, keeper):
            await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_profiles_given_as_documents_hold(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        profile = {
            "defaultAction": "SCMP_ACT_ALLOW",
            "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []}],
            "syscalls": [
                {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
                {
                    "names": ["chmod", "fchmodat"],
                    "action": "SCMP_ACT_ERRNO",
                    "excludes": {"caps": ["CAP_CHOWN"]},
                },
            ],
        }
        script = "mkdir /x; touch /y; chmod 700 /y && echo changed"
        found = await said(place, engine, script, seccomp_profile=json.dumps(profile))
        assert "No space left" in found
        assert "changed" in found
        for wrong in ("", "localhost/", '{"defaultAction": "SCMP_ACT_WHATEVER"}', "{"):
            with pytest.raises(InvalidConfiguration):
                await said(place, engine, script, seccomp_profile=wrong)
        assert "Seccomp:\t0" in await said(
            place, engine, "cat /proc/self/status", seccomp_profile="unconfined"
        )
        await engine.close()

    in_own_process(tmp_path, body)


def test_a_privileged_container_sees_the_machines_devices(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        found = await said(
            place,
            engine,
            "ls /dev/loop7; mkdir /m; mount -t tmpfs none /m && echo mounted; "
            "cat /proc/self/status",
            privileged=True,
            limits=Limits(pids=50),
        )
        assert "/dev/loop7" in found
        assert "mounted" in found
        assert "Seccomp:\t0" in found
        await engine.close()

    in_own_process(tmp_path, body)


def test_commands_inside_have_users_folders_and_privileges_of_their_own(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        identifier = await engine.create(place.shell("sleep 100", supplemental_groups=("extra",)))
        await engine.start(identifier)
        session = await engine.execute(
            identifier,
            ("/bin/sh", "-c", "id; pwd"),
            ExecOptions(user="app", working_directory="/tmp"),
        )
        assert session.process in (0, *await engine.processes(identifier))
        output = b"".join([data async for _, data in session.output()]).decode()
        assert output == "uid=1000(app) gid=1001(app) groups=1001(app),1002(extra)\n/tmp\n"
        for privileged, held in ((False, False), (True, True)):
            session = await engine.execute(
                identifier, ("/bin/cat", "/proc/self/status"), ExecOptions(privileged=privileged)
            )
            status = b"".join([data async for _, data in session.output()]).decode()
            effective = next(line for line in status.splitlines() if line.startswith("CapEff"))
            assert bool(int(effective.split()[1], 16) >> 21 & 1) == held  # CAP_SYS_ADMIN
        with pytest.raises(InvalidConfiguration):
            await engine.execute(identifier, ("true",), ExecOptions(user="nobody-here"))
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_root_inside_is_nobody_outside(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        maps = (IdentifierMap(0, 200_000, 65_536),)
        script = (
            "id; cat /proc/self/uid_map; ls -ln /etc/passwd; echo own > /file; ls -ln /file; "
            "ls -lnd /made; sleep 100"
        )
        identifier = await engine.create(
            place.shell(script, uid_maps=maps, gid_maps=maps, working_directory="/made")
        )
        await engine.prepare(identifier)
        session = await engine.attach(identifier)
        await engine.start(identifier)
        told = ""
        async for _, data in session.output():
            told += data.decode()
            if told.rstrip().endswith("/made"):
                break
        await session.kill()
        assert "uid=0(root)" in told
        assert "200000" in told
        assert told.count(" 1 0 0 ") == 2
        process = (await engine.status(identifier)).process
        assert os.stat(f"/proc/{process}").st_uid == 200_000
        assert (await engine.root(identifier) / "file").stat().st_uid == 200_000
        written = await engine.written(identifier)
        assert ((written.upper / "file").stat().st_uid, written.uid_maps) == (200_000, maps)
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


_USERS = {
    "uid_maps": (IdentifierMap(0, 100_000, 65_536),),
    "gid_maps": (IdentifierMap(0, 100_000, 65_536),),
}
_COMBINATIONS: dict[str, dict[str, object]] = {
    "everything is the host's": {
        "ipc_mode": "host",
        "host_uts_namespace": True,
        "host_cgroup_namespace": True,
        "host_process_namespace": True,
        "network_namespace": "host",
    },
    "memory": {
        "limits": Limits(
            memory=50 << 20,
            memory_and_swap=-1,
            memory_reservation=20 << 20,
            out_of_memory_kill_disabled=True,
        )
    },
    "weights of disks": {"limits": Limits(io_weight=300)},
    "nothing masked": {"masked_paths": (), "read_only_paths": ()},
    "a read-only root and a new folder": {"read_only_root": True, "working_directory": "/new/dir"},
    "a privileged init": {"init": True, "privileged": True},
    "an init of a user": {"init": True, "user": "app"},
    "mapped users with a device": {
        **_USERS,
        "init": True,
        "devices": (Device(source="/dev/loop7"),),
        "limits": Limits(memory=50 << 20),
    },
    "mapped users in the host's network": {**_USERS, "network_namespace": "host"},
}


def test_combinations_run(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        source = place.folder / "source"
        source.mkdir()
        bind = {"source": str(source), "target": "/bound"}
        mounts = {
            "a mount that receives": Mount(**bind, propagation="rslave"),
            "a mount read-only to its depth": Mount(**bind, read_only_recursive=True),
            "a mount without those below": Mount(**bind, recursive=False),
        }
        combinations = _COMBINATIONS | {name: {"mounts": (it,)} for name, it in mounts.items()}
        for name, settings in combinations.items():
            assert await said(place, engine, "echo it runs", **settings) == "it runs", name
        await engine.close()

    in_own_process(tmp_path, body)
