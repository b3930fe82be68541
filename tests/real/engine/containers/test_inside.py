"""What can be done with a container that is there: commands, health, logs, files, figures."""

import asyncio
import io
import json
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from isolation import Place, in_own_process
from stage import Stage, created, opened, until

from sampan.engine.containers.configuration import (
    ExecConfiguration,
    HealthConfiguration,
    LogConfiguration,
    UpdateConfiguration,
)
from sampan.engine.containers.contract import CommitOptions, LogOptions
from sampan.engine.contract import (
    CommandNotFound,
    Conflict,
    EngineError,
    Forbidden,
    InvalidConfiguration,
    NotFound,
)

pytestmark = pytest.mark.real
_STAT = 'printf "%d %o", (stat "/data/new")[4], (stat _)[2] & 07777'


async def run_in(stage: Stage, name: str, *command: str, user: str = "") -> tuple[bytes, int]:
    wanted = ExecConfiguration(command=command, attach_stdout=True, attach_stderr=True, user=user)
    identifier = await stage.containers.exec_create(name, wanted)
    session = await stage.containers.exec_start(identifier)
    assert session is not None
    output = b"".join([data async for _, data in session.output()])
    detail = await stage.containers.exec_inspect(identifier)
    assert detail.exit_code is not None
    return output, detail.exit_code


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data


def archive_of(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            header = tarfile.TarInfo(name.replace("__", "/"))
            header.size, header.uid, header.mode = len(content), 1234, 0o640
            archive.addfile(header, io.BytesIO(content))
    return out.getvalue()


def test_commands_run_inside_and_outlive_their_clients(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place)
        await created(stage, "sleep 100", "one")
        with pytest.raises(Conflict, match="is not running"):
            await stage.containers.exec_create("one", ExecConfiguration(command=("true",)))
        await stage.containers.start("one")
        assert await run_in(stage, "one", "/bin/sh", "-c", "echo hi; exit 4") == (b"hi\n", 4)
        with pytest.raises(CommandNotFound, match='exec: "nosuch": executable file not found'):
            await run_in(stage, "one", "nosuch")
        long = ExecConfiguration(
            command=(
                "/bin/sh",
                "-c",
                "dd if=/dev/zero bs=1000 count=4000 status=none; echo x >/done",
            ),
            attach_stdout=True,
        )
        identifier = await stage.containers.exec_create("one", long)
        session = await stage.containers.exec_start(identifier)
        assert session is not None
        await session.kill()

        async def ended() -> bool:
            return (await stage.containers.exec_inspect(identifier)).exit_code == 0

        await until(ended)
        actions = stage.actions()
        assert "exec_create: /bin/sh -c echo hi; exit 4" in actions
        assert actions.count("exec_die") == 2
        await stage.containers.remove("one", force=True)
        await stage.close()

    in_own_process(tmp_path, body)


def test_health_is_found_out_by_the_containers_own_check(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place)
        check = HealthConfiguration(
            test=("CMD-SHELL", "echo looked; test ! -e /ill"), interval=50_000_000, retries=2
        )
        await created(stage, "sleep 100", "one", health_check=check)
        await stage.containers.start("one")

        async def status(wanted: str) -> bool:
            health = (await stage.containers.inspect("one")).state.health
            assert health is not None
            return health.status == wanted

        assert await status("starting")
        await until(lambda: status("healthy"))
        await run_in(stage, "one", "/bin/sh", "-c", "echo >/ill")
        await until(lambda: status("unhealthy"))
        health = (await stage.containers.inspect("one")).state.health
        assert health is not None
        assert health.failing_streak >= 2
        assert health.log[-1].output == "looked\n"
        assert "health_status: healthy" in stage.actions()
        assert "health_status: unhealthy" in stage.actions()
        await stage.containers.remove("one", force=True)
        await stage.close()

    in_own_process(tmp_path, body)


def test_logs_are_read_over_parts_that_were_set_aside(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place)
        limits = {"max-size": "4k", "max-file": "3", "compress": "true"}
        log = LogConfiguration(kind="json-file", configuration=limits)
        script = "i=0; while test $((i+=1)) -le 300; do echo line $i; sleep 0.005; done"
        identifier = await created(stage, script, "one", host={"log_configuration": log})
        following = stage.containers.logs("one", LogOptions(follow=True))
        await stage.containers.start("one")
        folder = stage.parts.log_folder(identifier)
        heard = asyncio.ensure_future(_texts(following))
        await stage.containers.wait("one", "not-running")
        assert (await heard) == [f"line {number}\n" for number in range(1, 301)]
        kept = await _texts(stage.containers.logs("one", LogOptions()))
        assert kept == [f"line {number}\n" for number in range(301 - len(kept), 301)]
        assert len(kept) > 100
        detail = await stage.containers.inspect("one")
        assert detail.log_path == str(folder / f"{identifier}-json.log")
        last = json.loads(Path(detail.log_path).read_text().splitlines()[-1])
        assert {name: last[name] for name in ("log", "stream")} == {
            "log": "line 300\n",
            "stream": "stdout",
        }
        assert len(list(folder.glob("*-json.log.*.gz"))) == 2
        assert not (folder / "output.log").exists()
        tail = await _texts(stage.containers.logs("one", LogOptions(tail=100)))
        assert tail == kept[-100:]
        entries = [entry async for entry in stage.containers.logs("one", LogOptions(tail=9))]
        since = LogOptions(since=entries[3].time, until=entries[5].time)
        assert await _texts(stage.containers.logs("one", since)) == tail[-6:-3]
        await stage.containers.remove("one")
        await stage.close()

    in_own_process(tmp_path, body)


async def _texts(entries: AsyncIterator[object]) -> list[str]:
    return [entry.data.decode() async for entry in entries]  # type: ignore[attr-defined]


def test_files_are_copied_in_and_out_and_never_past_the_root(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place)
        containers = stage.containers
        (tmp_path / "bound").mkdir()
        secret = tmp_path / "secret"
        secret.mkdir()
        await created(
            stage,
            f"mkdir -p /data; echo inside >/data/file; ln -s {secret} /out; ln -s data /in; "
            "perl -e '$p = q(/data/pipe); syscall(133, $p, 010644, 0)'; sleep 100",
            "one",
            host={"binds": (f"{tmp_path}/bound:/bound:ro", "named:/volume")},
        )
        await containers.put_archive("one", "/volume", pieces(archive_of(early=b"x")))
        await containers.start("one")
        await until(lambda: _is_there(stage, "/data/pipe"))
        status, archive = await containers.get_archive("one", "/data")
        assert status.name == "data"
        found = await _unpacked(archive)
        assert found["data/file"] == b"inside\n"
        assert "data/pipe" in found
        status = await containers.stat_path("one", "/in")
        assert status.link_target == "/data"
        await containers.put_archive("one", "/in", pieces(archive_of(new=b"content", a__b=b"c")))
        assert (await run_in(stage, "one", "cat", "/data/new", "/data/a/b"))[0] == b"contentc"
        assert (await run_in(stage, "one", "perl", "-e", _STAT))[0] == b"1234 640"
        with pytest.raises(NotFound):
            await containers.put_archive("one", "/out", pieces(archive_of(x=b"y")))
        with pytest.raises(NotFound, match="Could not find the file /nosuch in container one"):
            await containers.get_archive("one", "/nosuch")
        with pytest.raises(Forbidden, match="read-only"):
            await containers.put_archive("one", "/bound", pieces(archive_of(x=b"y")))
        for name in ("../x", "a/../../x"):
            evil = archive_of(**{name: b"y"})
            with pytest.raises(InvalidConfiguration):
                await containers.put_archive("one", "/data", pieces(evil))
        assert not list(secret.iterdir())
        await containers.put_archive("one", "/volume", pieces(archive_of(seen=b"z")))
        assert (await run_in(stage, "one", "cat", "/volume/seen"))[0] == b"z"
        assert (place.folder / "volumes/named/seen").read_bytes() == b"z"
        kinds = {change.path: change.kind for change in await containers.changes("one")}
        assert kinds["/data/new"] == 1
        await containers.remove("one", force=True)
        await stage.close()

    in_own_process(tmp_path, body)


async def _is_there(stage: Stage, path: str) -> bool:
    try:
        await stage.containers.stat_path("one", path)
    except NotFound:
        return False
    return True


def test_the_networks_files_are_copied_while_it_runs_and_after(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place)
        containers = stage.containers
        await created(stage, "echo more >>/etc/hostname; sleep 100", "one", hostname="inside")

        async def hostname() -> bytes:
            _, archive = await containers.get_archive("one", "/etc/hostname")
            return (await _unpacked(archive))["hostname"]

        assert (await containers.inspect("one")).hostname_path == ""
        await containers.start("one")

        async def both() -> bool:
            return await hostname() == b"inside\nmore\n"

        await until(both)
        running = (await containers.inspect("one")).hostname_path
        assert Path(running).read_bytes() == b"inside\nmore\n"
        await containers.stop("one", 0)
        assert await both()
        kept = (await containers.inspect("one")).hostname_path
        assert Path(kept).read_bytes() == b"inside\nmore\n"
        with pytest.raises(EngineError, match="busy"):
            await containers.put_archive("one", "/etc", pieces(archive_of(hostname=b"mine")))
        await containers.start("one")
        await until(both)
        await containers.remove("one", force=True)
        assert not Path(kept).exists()
        await stage.close()

    in_own_process(tmp_path, body)


async def _unpacked(archive: AsyncIterator[bytes]) -> dict[str, bytes]:
    data = b"".join([piece async for piece in archive])
    with tarfile.open(fileobj=io.BytesIO(data)) as opened_archive:
        return {
            member.name: (opened_archive.extractfile(member) or io.BytesIO()).read()
            if member.isreg()
            else b""
            for member in opened_archive
        }


def test_figures_processes_limits_and_images_of_a_container(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place)
        containers = stage.containers
        await created(stage, "echo kept >/kept; sleep 100 & wait", "one")
        await containers.start("one")
        await until(lambda: _is_there(stage, "/kept"))
        processes = await containers.top("one", "-eo pid,args")
        assert any("sleep" in row[1] for row in processes.processes)
        assert processes.titles == ("PID", "COMMAND")
        figures = await containers.stats("one")
        assert figures.cpu.total > 0
        assert figures.memory.usage > 0
        assert figures.processes >= 2
        assert figures.processes_limit == 4096
        await containers.update("one", UpdateConfiguration(processes_limit=50))
        assert (await containers.stats("one")).processes_limit == 50
        found = await _unpacked(await containers.export("one"))
        assert found["kept"] == b"kept\n"
        image = await containers.commit("one", CommitOptions(repository="made", tag="one"))
        assert (await stage.parts.images.inspect("made:one")).identifier == image
        assert (await containers.sizes("one")).written == 5
        with pytest.raises(InvalidConfiguration, match="6MB"):
            await containers.update("one", UpdateConfiguration(memory=1000))
        pruned = await containers.prune(lambda _: True)
        assert pruned.identifiers == ()
        await containers.stop("one", 0)
        pruned = await containers.prune(lambda _: True)
        assert (len(pruned.identifiers), pruned.space) == (1, 5)
        assert os.listdir(stage.parts.logs) == []
        await stage.close()

    in_own_process(tmp_path, body)
