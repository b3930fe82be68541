"""An engine's process of a test's own, and the command line that speaks to it."""

import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from isolation import Place, in_own_process
from test_build import add_root

from sampan.engine.images.client import ImageClient
from sampan.host import processes

SOURCE = str(Path(__file__).parents[3] / "src")
SERVE = """
import asyncio, signal, sys, uvloop
from sampan.daemon.engine_facts import engine_facts
from sampan.daemon.engine_process import serve_engine
from sampan.foundation.settings import Instance
from sampan.host.cgroups import control_groups
async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    instance = Instance(name=sys.argv[1])
    await serve_engine(instance, engine_facts(instance, control_groups()), stop)
uvloop.install()
asyncio.run(main())
"""


class Machine:
    """An instance with nothing but its engine."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.instance = place.instance
        self.environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": SOURCE}
        self._daemon: processes.ChildProcess | None = None

    async def start(self) -> None:
        command = (sys.executable, "-c", SERVE, self.instance.name)
        self._daemon = await processes.spawn(command, environment=self.environment)
        client = ImageClient(self.instance.run_folder / "engine.sock")
        await client.images()
        await client.close()

    async def end(self, number: int = signal.SIGTERM) -> None:
        assert self._daemon is not None
        self._daemon.signal(number)
        await self._daemon.wait()

    async def sampan(self, *words: str, shell: str = "") -> tuple[int, str]:
        """Exit code and output of a command, or of a shell's script where $S is `sampan`."""
        command = f"{sys.executable} -m sampan --instance {self.instance.name}"
        script = shell or f'{command} "$@"'
        result = await processes.run(
            ("/bin/sh", "-c", script, "sh", *words), environment=self.environment | {"S": command}
        )
        return result.exit_code, result.output.decode()

    async def build(self) -> None:
        context = self.place.folder / "context"
        add_root(context)
        (context / "Dockerfile").write_text('FROM scratch\nCOPY root /\nCMD ["/bin/id"]\n')
        code, said = await self.sampan("build", "-t", "own", str(context))
        assert code == 0, said


def on_a_machine(folder: Path, body: Callable[[Machine], Awaitable[None]]) -> None:
    async def with_machine(place: Place) -> None:
        machine = Machine(place)
        await machine.start()
        await machine.build()
        await body(machine)
        await machine.end()

    in_own_process(folder, with_machine)
