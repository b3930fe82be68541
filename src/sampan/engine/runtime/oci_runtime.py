"""The OCI runtime's command line (crun, runc and others speak the same).

It starts, signals and deletes what conmon has created; the runtime's own state lies in a
folder of the engine's. What a container is for is not known here.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sampan.engine.contract import CommandNotFound, EngineError
from sampan.host import processes

# The runtimes' own programs are found by absolute paths; they need no more than this.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC"}
_TIMEOUT = 30.0
_NOT_FOUND = re.compile(r"executable file .* not found|open executable: no such file", re.I)
_NO_FOLDER = re.compile(r"chdir `(?P<folder>.*)`: (?P<why>.*)")
_EXEC_FAILED = "OCI runtime exec failed: exec failed: unable to start container process: "
_NOT_EXECUTABLE = re.compile(
    r"open executable: |exec\w*\b.*: (permission denied|exec format error|is a directory)", re.I
)


class _State(msgspec.Struct):
    status: str
    pid: int = 0


class OciRuntime:
    """One runtime program with one state folder."""

    def __init__(self, program: str, state: Path) -> None:
        self.program = program
        self.options = ("--root", str(state))

    def command(self, *words: str) -> tuple[str, ...]:
        return (self.program, *self.options, *words)

    async def start(self, identifier: str) -> None:
        """Let a created container's process go. Raises EngineError, CommandNotFound."""
        await self._checked("start", identifier)

    async def delete(self, identifier: str) -> None:
        """Take away the runtime's state and the control group, killing what still runs."""
        await self._checked("delete", "--force", identifier)

    async def is_created(self, identifier: str) -> bool:
        """Whether the container still waits to be started."""
        result = await self._run(("state", identifier))
        if result.exit_code != 0:
            return False
        return msgspec.json.decode(result.output, type=_State).status == "created"

    async def _checked(self, *words: str) -> None:
        result = await self._run(words)
        if result.exit_code != 0:
            raise failure(result.output.decode(errors="replace"))

    async def _run(self, words: Sequence[str]) -> processes.CompletedCommand:
        return await processes.run(self.command(*words), environment=ENVIRONMENT, timeout=_TIMEOUT)


def failure(output: str) -> EngineError:
    """The error that a runtime's message means; the codes are those of a shell."""
    text = output.strip() or "the runtime failed without a message"
    exit_code = command_exit_code(text)
    return CommandNotFound(text, exit_code) if exit_code else EngineError(text)


def command_exit_code(message: str) -> int:
    """127 or 126 when the message tells that a command can't be executed, else 0."""
    if _NOT_FOUND.search(message):
        return 127
    return 126 if _NOT_EXECUTABLE.search(message) else 0


def refusal(program: str, exit_code: int) -> str:
    """The words by which Docker's clients tell exit codes 127 and 126 from 125."""
    return (
        "failed to create task for container: failed to create shim task: OCI runtime create "
        f"failed: unable to start container process: {_not_executed(program, exit_code)}"
    )


def exec_failure(output: str, program: str) -> EngineError:
    """The same for a further command in a container, in Docker's words."""
    error = failure(output)
    if isinstance(error, CommandNotFound):
        why = _not_executed(program, error.exit_code)
        return CommandNotFound(_EXEC_FAILED + why, error.exit_code)
    if found := _NO_FOLDER.search(output):
        return EngineError(
            f'{_EXEC_FAILED}chdir to cwd ("{found["folder"]}") set in config.json failed: '
            f"{found['why'].lower()}: unknown"
        )
    return error


def _not_executed(program: str, exit_code: int) -> str:
    why = "executable file not found in $PATH"
    if exit_code == 126:
        why = "permission denied"
    elif "/" in program:
        why = f"stat {program}: no such file or directory"
    return f'exec: "{program}": {why}: unknown'
