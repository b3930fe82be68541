"""What stops a build: a Dockerfile that can't be understood, or a step that failed."""

from sampan.engine.contract import EngineError


class BuildFailed(EngineError):
    """`line` is the Dockerfile's, 0 for none; `exit_code` that of a command, 0 for none."""

    def __init__(self, message: str, line: int = 0, exit_code: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.exit_code = exit_code


class InvalidDockerfile(BuildFailed):
    """The Dockerfile breaks the rules of its language."""

    def __init__(self, message: str, line: int = 0) -> None:
        where = f"dockerfile parse error on line {line}" if line else "failed to parse Dockerfile"
        super().__init__(f"{where}: {message}", line)
