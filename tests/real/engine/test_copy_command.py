"""`sampan cp`: what goes where, as docker has it; and what a container can't do with it."""

import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from machine_process import Machine, on_a_machine

pytestmark = pytest.mark.real


async def copied(machine: Machine, *words: str) -> None:
    code, said = await machine.sampan("cp", *words)
    assert code == 0, f"{words}: {said}"


async def refused(machine: Machine, *words: str) -> str:
    code, said = await machine.sampan("cp", *words)
    assert code == 1, f"{words}: {said}"
    return said


async def inside(machine: Machine, script: str) -> list[str]:
    code, said = await machine.sampan("exec", "box", "sh", "-c", script)
    assert code == 0, said
    return said.split()


def with_a_box(folder: Path, body: Callable[[Machine], Awaitable[None]]) -> None:
    """A machine with a container that is called `box`."""

    async def with_machine(machine: Machine) -> None:
        code, said = await machine.sampan("run", "-d", "--name", "box", "own", "sleep", "1000")
        assert code == 0, said
        await inside(machine, "mkdir -p /tmp /var")
        await body(machine)
        await machine.sampan("rm", "-f", "box")

    on_a_machine(folder, with_machine)


def local_tree(folder: Path) -> Path:
    """A folder with a file, a folder and a symlink."""
    tree = folder / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "file").write_text("content\n")
    (tree / "deep" / "tool").write_text("#!/bin/sh\n")
    (tree / "deep" / "tool").chmod(0o755)
    (tree / "link").symlink_to("file")
    return tree


def test_into_a_container(tmp_path: Path) -> None:
    async def body(machine: Machine) -> None:
        tree = local_tree(tmp_path)
        await copied(machine, str(tree), "box:/tmp")
        listed = await inside(machine, "cd /tmp/tree; ls; ls deep; test -L link && cat link")
        assert listed == ["deep", "file", "link", "tool", "content"]
        assert await inside(machine, "test -x /tmp/tree/deep/tool && echo yes") == ["yes"]
        await copied(machine, f"{tree}/.", "box:/fresh")
        assert await inside(machine, "ls /fresh") == ["deep", "file", "link"]
        await copied(machine, str(tree / "file"), "box:/tmp/named")
        await copied(machine, "-L", str(tree / "link"), "box:/tmp/followed")
        assert await inside(machine, "cat /tmp/named /tmp/followed") == ["content", "content"]
        archived = f"tar -C {tmp_path} -c tree | $S cp - box:/var"
        assert (await machine.sampan(shell=archived))[0] == 0
        assert await inside(machine, "cat /var/tree/file") == ["content"]
        assert "must exist" in await refused(machine, str(tree / "file"), "box:/nosuch/")
        assert "cannot copy directory" in await refused(machine, str(tree), "box:/tmp/named")
        assert "No such container: nosuch" in await refused(machine, str(tree), "nosuch:/tmp")
        assert "No such file" in await refused(machine, str(tmp_path / "nosuch"), "box:/tmp")

    with_a_box(tmp_path, body)


def test_out_of_a_container(tmp_path: Path) -> None:
    async def body(machine: Machine) -> None:
        out = tmp_path / "out"
        out.mkdir()
        await inside(
            machine, "mkdir -p /a/b; echo one > /a/b/one; ln -s one /a/b/link; chmod 640 /a/b/one"
        )
        await copied(machine, "box:/a/b", str(out))
        assert (out / "b" / "one").read_text() == "one\n"
        assert os.readlink(out / "b" / "link") == "one"
        assert stat.S_IMODE((out / "b" / "one").stat().st_mode) == 0o640
        await copied(machine, "box:/a/b", str(out / "fresh"))
        await copied(machine, "box:/a/b/.", str(out / "content"))
        for name in ("fresh", "content"):
            assert sorted(it.name for it in (out / name).iterdir()) == ["link", "one"]
        await copied(machine, "box:/a/b/one", str(out / "named"))
        await copied(machine, "-L", "box:/a/b/link", str(out / "followed"))
        assert (out / "named").read_text() == (out / "followed").read_text() == "one\n"
        listed = await machine.sampan(shell="$S cp box:/a/b - | tar -t")
        assert sorted(listed[1].split()) == ["b/", "b/link", "b/one"]
        assert "Could not find the file /nosuch" in await refused(machine, "box:/nosuch", str(out))
        assert "cannot copy directory" in await refused(machine, "box:/a/b", str(out / "named"))
        assert sorted(it.name for it in out.iterdir()) == [
            *("b", "content", "followed", "fresh", "named"),
        ]

    with_a_box(tmp_path, body)


def test_a_containers_symlinks_lead_nowhere_on_this_machine(tmp_path: Path) -> None:
    """The container puts a symlink where the next copy would write through it."""

    async def body(machine: Machine) -> None:
        out, victim = tmp_path / "out", tmp_path / "victim"
        out.mkdir()
        victim.mkdir()
        await inside(machine, f"mkdir /evil; ln -s {victim} /evil/folder")
        await copied(machine, "box:/evil", str(out))
        assert os.readlink(out / "evil" / "folder") == str(victim)
        await inside(
            machine, "rm /evil/folder; mkdir /evil/folder; echo gotcha > /evil/folder/file"
        )
        # What a naive copy would do now: write out/evil/folder/file, which is victim/file.
        await machine.sampan("cp", "box:/evil", str(out))
        assert list(victim.iterdir()) == []

    with_a_box(tmp_path, body)


def test_owners_are_the_users_own_unless_asked_for(tmp_path: Path) -> None:
    async def body(machine: Machine) -> None:
        await inside(machine, "echo x > /owned; perl -e 'chown 123, 456, \"/owned\"'")
        await copied(machine, "box:/owned", str(tmp_path / "mine"))
        await copied(machine, "-a", "box:/owned", str(tmp_path / "theirs"))
        assert (tmp_path / "mine").stat().st_uid == os.geteuid()
        found = (tmp_path / "theirs").stat()
        assert (found.st_uid, found.st_gid) == (123, 456)

    with_a_box(tmp_path, body)
