"""What stops a build: a Dockerfile that can't be understood, or a step that failed."""

from sampan.engine.contract import EngineError


class BuildFailed(EngineError):
    """Names the line of the Dockerfile, 0 for none."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
