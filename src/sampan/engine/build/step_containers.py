"""The containers of a build's instructions, as clients and listeners to events are told of them.

With the classic builder every instruction has a container, but for those that copy files. One
that runs nothing has it in name alone: it is created and destroyed, and nothing is made for it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from sampan.engine.build.contract import (
    BuildProgress,
    Step,
    StepContainer,
    StepContainerRemoved,
)
from sampan.engine.build.run_step import StepRunner
from sampan.engine.images.documents import ExecutionConfiguration

PublishContainer = Callable[[str, str, Mapping[str, str]], object]
Tell = Callable[[str, Mapping[str, str]], None]


class StepContainers:
    """`publish` is told an event's action, the container's identifier and attributes."""

    def __init__(self, progress: BuildProgress, publish: PublishContainer | None) -> None:
        self._progress = progress
        self._publish = publish

    @contextmanager
    def living(
        self, step: Step, image: str, execution: ExecutionConfiguration
    ) -> Iterator[tuple[str, Tell]]:
        """A container for a `with` block: its identifier, and what takes further events."""
        container = StepRunner.new_identifier()
        attributes = {
            **(execution.labels or {}),
            "image": image,
            "name": container[:12],
        }

        def tell(action: str, more: Mapping[str, str]) -> None:
            if self._publish is not None:
                self._publish(action, container, {**attributes, **more})

        tell("create", {})
        self._progress(StepContainer(step, container))
        has_failed = True
        try:
            yield container, tell
            has_failed = False
        finally:
            tell("destroy", {})
            self._progress(StepContainerRemoved(step, container, has_failed))
