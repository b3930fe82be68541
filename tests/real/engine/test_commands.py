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
