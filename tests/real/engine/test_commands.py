"""The commands on images, containers, networks and volumes, as people type them."""

import json
from pathlib import Path

import pytest
from machine_process import Machine, on_a_machine

pytestmark = pytest.mark.real


async def done(machine: Machine, *words: str) -> str:
    """What a command says that must succeed."""
    code, said = await machine.sampan(*words)
    assert code == 0, f"{words}: {said}"
    return said.strip()


def test_images_are_named_saved_and_loaded(tmp_path: Path) -> None:
    async def body(machine: Machine) -> None:
        first = await done(machine, "inspect", "-f", "{{.Id}}", "--type", "image", "own")
        await done(machine, "tag", "own", "localhost:5000/team/own:v2")
        names = await done(machine, "images", "--format", "{{.Repository}}:{{.Tag}}")
        assert sorted(names.split()) == ["localhost:5000/team/own:v2", "own:latest"]
        archive = str(tmp_path / "both.tar")
        await done(machine, "save", "-o", archive, "own", "localhost:5000/team/own:v2")
        said = await done(machine, "rmi", "own", "localhost:5000/team/own:v2")
        assert f"Deleted: {first}" in said.splitlines()
        assert await done(machine, "images", "-q") == ""
        assert "own:latest" in await done(machine, "load", "-i", archive)
        assert await done(machine, "images", "-q", "--no-trunc", "own") == first
        assert "COPY" in await done(machine, "history", "--no-trunc", "own")
        code, said = await machine.sampan("rmi", "nosuch")
        assert (code, "No such image: nosuch" in said) == (1, True)

    on_a_machine(tmp_path, body)


def test_containers_find_each_other_and_keep_their_volumes(tmp_path: Path) -> None:
    async def body(machine: Machine) -> None:
        await done(machine, "network", "create", "--subnet", "192.168.77.0/24", "shop")
        listed = await done(machine, "network", "ls", "--format", "{{.Name}} {{.Driver}}")
        assert "shop bridge" in listed.splitlines()
        assert await done(machine, "volume", "create", "data") == "data"
        script = "echo kept > /data/file; exec sleep 1000"
        common = ("--network", "shop", "-v", "data:/data")
        await done(machine, "run", "-d", "--name", "db", *common, "own", "sh", "-c", script)
        address = await done(
            machine, "inspect", "-f", "{{.NetworkSettings.Networks.shop.IPAddress}}", "db"
        )
        assert address == "192.168.77.2"
        said = await done(machine, "run", "--rm", *common, "own", "cat", "/data/file")
        assert said == "kept"
        code, said = await machine.sampan("volume", "rm", "data")
        assert (code, "in use" in said) == (1, True)
        await done(machine, "rm", "-f", "db")
        await done(machine, "volume", "rm", "data")
        await done(machine, "network", "rm", "shop")
        assert "shop" not in await done(machine, "network", "ls")

    on_a_machine(tmp_path, body)


def test_a_container_is_held_changed_renamed_and_committed(tmp_path: Path) -> None:
    async def body(machine: Machine) -> None:
        await done(machine, "create", "--name", "made", "own", "sh", "-c", "sleep 1000")
        assert await done(machine, "ps", "-a", "--format", "{{.State}}") == "created"
        await done(machine, "start", "made")
        await done(machine, "pause", "made")
        assert "(Paused)" in await done(machine, "ps", "--format", "{{.Status}}")
        await done(machine, "unpause", "made")
        await done(machine, "exec", "made", "touch", "/fresh")
        assert "A /fresh" in (await done(machine, "diff", "made")).splitlines()
        await done(machine, "rename", "made", "other")
        await done(machine, "commit", "-m", "with a file", "other", "changed:1")
        await done(machine, "restart", "-t", "0", "other")
        assert "sleep 1000" in await done(machine, "top", "other")
        assert "other" in await done(machine, "stats", "--no-stream")
        await done(machine, "kill", "other")
        assert await done(machine, "wait", "other") == "137"
        listed = json.loads(await done(machine, "ps", "-a", "-o", "json"))
        assert [each["Names"] for each in listed] == [["/other"]]
        said = await done(machine, "run", "--rm", "changed:1", "ls", "/fresh")
        assert said == "/fresh"
        said = await done(machine, "events", "--since", "10m", "--until", "0s")
        for action in ("pause", "unpause", "rename", "commit", "restart", "kill", "die"):
            assert f" container {action} " in said
        assert "Total reclaimed space" in await done(machine, "system", "prune", "-f", "-a")
        assert await done(machine, "ps", "-aq") == ""

    on_a_machine(tmp_path, body)


def test_limits_are_changed_and_told(tmp_path: Path) -> None:
    async def body(machine: Machine) -> None:
        await done(machine, "run", "-d", "--name", "box", "own", "sleep", "1000")
        said = await done(machine, "update", "-m", "64m", "--memory-swap", "-1", "box")
        assert said.splitlines()[0] == "box"
        assert await done(machine, "inspect", "-f", "{{.HostConfig.Memory}}", "box") == "67108864"
        assert "/ 64MiB" in await done(machine, "stats", "--no-stream", "box")
        code, said = await machine.sampan("update", "box")
        assert (code, "one or more flags" in said) == (1, True)
        code, said = await machine.sampan("update", "-m", "64m", "nosuch")
        assert (code, "No such container: nosuch" in said) == (1, True)
        assert "Containers: 1/1" in await done(
            machine, "system", "df", "--format", "{{.Type}}: {{.Active}}/{{.TotalCount}}"
        )
        assert "REPOSITORY" in await done(machine, "system", "df", "-v")
        assert await done(machine, "version", "-f", "{{.Server.ApiVersion}}") == "1.52"
        assert "box" in await done(machine, "container", "list", "--format", "{{.Names}}")
        await done(machine, "rm", "-f", "box")

    on_a_machine(tmp_path, body)


def test_builds_and_imports_take_what_is_on_standard_input(tmp_path: Path) -> None:
    async def body(machine: Machine) -> None:
        context = tmp_path / "small"
        context.mkdir()
        (context / "Dockerfile").write_text("FROM own\nCOPY file /file\n")
        (context / "file").write_text("packed\n")
        for script in (
            f"tar -C {context} -cz . | $S build -q -t first -",
            "printf 'FROM own\\nRUN echo typed > /file\\n' | $S build -q -t second -",
            f"printf 'FROM own\\nCOPY file /other\\n' | $S build -q -t third -f - {context}",
            "$S create --name box own && $S export box | $S import -c 'CMD [\"sh\"]' - fourth",
        ):
            code, said = await machine.sampan(shell=script)
            assert code == 0, said
        assert await done(machine, "run", "--rm", "first", "cat", "/file") == "packed"
        assert await done(machine, "run", "--rm", "second", "cat", "/file") == "typed"
        assert await done(machine, "run", "--rm", "third", "cat", "/other") == "packed"
        assert await done(machine, "run", "--rm", "fourth", "sh", "-c", "echo here") == "here"
        identifiers = tmp_path / "identifier"
        options = ("--iidfile", str(identifiers), "--ulimit", "nofile=64", "--shm-size", "8m")
        await done(machine, "build", "-q", *options, str(context))
        assert identifiers.read_text() in await done(machine, "images", "-q", "--no-trunc")
        code, said = await machine.sampan("build", "--ulimit", "nofile", str(context))
        assert (code, "not a valid value" in said) == (125, True)

    on_a_machine(tmp_path, body)
