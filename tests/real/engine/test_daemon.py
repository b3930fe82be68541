"""The engine's own process, as the command line and the nodes' engines see it."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from machine_process import Machine, on_a_machine

from sampan.engine.contract import ImageInUse, ImageNotFound
from sampan.engine.images.client import ImageClient
from sampan.engine.images.removing import ImageRemover
from sampan.engine.images.store import ImageStore
from sampan.host import processes

pytestmark = pytest.mark.real


def test_exit_codes_output_and_input_of_run(tmp_path: Path) -> None:
    async def body(machine: Machine) -> None:
        sampan = machine.sampan
        assert await sampan("run", "--rm", "own") == (0, "uid=0(root) gid=0(root) groups=0(root)\n")
        assert (await sampan("run", "--rm", "own", "sh", "-c", "exit 7"))[0] == 7
        assert (await sampan("run", "--rm", "own", "nosuch"))[0] == 127
        assert (await sampan("run", "--rm", "own", "/etc"))[0] == 126
        code, said = await sampan("run", "nosuch")
        assert code == 125
        assert "Unable to find image 'nosuch' locally" in said
        code, said = await sampan(shell="echo typed | $S run -i --rm own cat")
        assert (code, said) == (0, "typed\n")
        code, said = await sampan(
            shell="$S run --rm own sh -c 'echo out; echo err >&2' 2>/dev/null"
        )
        assert (code, said) == (0, "out\n")
        code, said = await sampan("run", "--rm", "own", "sh", "-c", "tail -c 3000000 /dev/zero")
        assert (code, len(said)) == (0, 65536)
        assert (await sampan("ps", "-a", "-o", "name"))[1] == ""

    on_a_machine(tmp_path, body)


def test_a_signal_to_run_reaches_the_container(tmp_path: Path) -> None:
    async def body(machine: Machine) -> None:
        script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"
        command = (sys.executable, "-m", "sampan", "--instance", machine.instance.name)
        reader, writer = os.pipe()
        child = await processes.spawn(
            (*command, "run", "--rm", "own", "sh", "-c", script),
            environment=machine.environment,
            stdout=writer,
        )
        os.close(writer)
        os.set_blocking(reader, False)
        await processes.until_ready(readable=(reader,))
        assert os.read(reader, 100) == b"ready\n"
        os.close(reader)
        child.signal(signal.SIGTERM)
        assert await child.wait() == 5

    on_a_machine(tmp_path, body)


def test_the_life_of_a_container_in_the_background(tmp_path: Path) -> None:
    async def body(machine: Machine) -> None:
        sampan = machine.sampan
        script = (
            "while [ ! -e /go ]; do sleep 0.05; done; "
            "i=0; while [ $i -lt 8 ]; do echo tick $i; i=$((i+1)); sleep 0.05; done; exit 3"
        )
        code, identifier = await sampan("run", "-d", "--name", "clock", "own", "sh", "-c", script)
        assert (code, len(identifier.strip())) == (0, 64)
        assert (await sampan("run", "-d", "--name", "clock", "own"))[0] == 125
        assert (await sampan("ps", "-o", "name"))[1] == "clock\n"
        assert (await sampan("exec", "clock", "sh", "-c", "exit 9"))[0] == 9
        assert (await sampan("exec", "clock", "nosuch"))[0] == 127
        assert (await sampan("rm", "clock"))[0] != 0
        assert (await sampan("exec", "clock", "touch", "/go"))[0] == 0
        code, said = await sampan("logs", "-f", "clock")
        assert said == "".join(f"tick {number}\n" for number in range(8))
        assert (await sampan("logs", "-n", "1", "clock"))[1] == "tick 7\n"
        listed = json.loads((await sampan("ps", "-a", "-o", "json"))[1])
        assert [each["State"] for each in listed] == ["exited"]
        assert listed[0]["Status"].startswith("Exited (3)")
        assert (await sampan("exec", "clock", "true"))[0] == 1
        assert await sampan("rm", "clock") == (0, "clock\n")
        assert (await sampan("logs", "clock"))[0] == 1
        assert not list((machine.instance.state_folder / "engine/logs").iterdir())

    on_a_machine(tmp_path, body)


def test_containers_live_on_when_the_engine_is_killed(tmp_path: Path) -> None:
    async def body(machine: Machine) -> None:
        sampan = machine.sampan
        await sampan("run", "-d", "--name", "one", "own", "sleep", "1000")
        await sampan("run", "-d", "--rm", "--name", "two", "own", "sleep", "0.1")
        process = ("inspect", "-f", "{{.State.Pid}}", "one")
        before = await sampan(*process)
        await machine.end(signal.SIGKILL)
        await machine.start()
        assert await sampan(*process) == before
        assert await sampan("stop", "-t", "0", "one") == (0, "one\n")
        assert await sampan("rm", "one") == (0, "one\n")
        for _ in range(50):
            if not (await sampan("ps", "-a", "-o", "name"))[1]:
                break
        assert (await sampan("ps", "-a", "-o", "name"))[1] == ""

    on_a_machine(tmp_path, body)


def test_nodes_are_clients_of_the_images(tmp_path: Path) -> None:
    async def body(machine: Machine) -> None:
        client = ImageClient(machine.instance.run_folder / "engine.sock")
        with pytest.raises(ImageNotFound):
            await client.describe("nosuch")
        acquired = await client.acquire("own", "node-9", "c1")
        assert acquired.description == await client.describe("own")
        assert all(Path(layer).is_dir() for layer in acquired.layers)
        assert acquired.execution.cmd == ("/bin/id",)
        await machine.end(signal.SIGKILL)
        await machine.start()
        assert [image.names for image in await client.images()] == [
            ("docker.io/library/own:latest",)
        ]
        store = ImageStore(machine.instance.state_folder / "images")
        remover = ImageRemover(store, lambda *_: None, lambda _: True)
        with pytest.raises(ImageInUse, match="container c1 is using its referenced image"):
            await remover.remove("own", force=False, prune_parents=True)
        await asyncio.gather(*(client.describe("own") for _ in range(20)))
        await client.retain("node-9", ())
        await client.close()

    on_a_machine(tmp_path, body)
