"""A build's events as the lines of Docker's classic builder.

Stages may be built side by side, but are told one after another, in the order of the
Dockerfile: what a later step says waits until those before it are done.
"""

from collections.abc import Callable, Iterator, Sequence

from sampan.engine.build.contract import (
    BuildEnded,
    BuildEvent,
    BuildProgress,
    BuildTagged,
    BuildWarning,
    ClassicImage,
    ClassicMessage,
    ClassicText,
    DockerfileWarnings,
    InstructionEnded,
    Step,
    StepContainer,
    StepContainerRemoved,
    StepEnded,
    StepOutput,
    StepPulling,
    StepStarted,
    TaskEnded,
    TaskTold,
)
from sampan.engine.images.reference import familiar, parse_reference

_SHORT = 12


def classic_progress(
    tell: Callable[[ClassicMessage], None], *, removes: bool = True, removes_failed: bool = False
) -> BuildProgress:
    """What to give to a build so that `tell` gets the classic builder's messages.

    `removes` tells of containers that went, `removes_failed` also of one whose command failed.
    """
    return _Teller(tell, removes=removes, removes_failed=removes_failed).take


class _Teller:
    def __init__(
        self, tell: Callable[[ClassicMessage], None], *, removes: bool, removes_failed: bool
    ) -> None:
        self._tell = tell
        self._removes = removes
        self._removes_failed = removes_failed
        self._current = 1
        self._waiting: dict[int, list[ClassicMessage]] = {}
        self._ended: set[int] = set()

    def take(self, event: BuildEvent) -> None:
        match event:
            case DockerfileWarnings():
                self._say([ClassicText(_warnings(event.texts), is_error_output=True)])
            case BuildWarning():
                self._say([ClassicText(f"[Warning] {event.text}\n")])
            case BuildEnded():
                self._say([ClassicText(f"Successfully built {short(event.identifier)}\n")])
            case BuildTagged():
                name = familiar(parse_reference(event.name).tagged)
                self._say([ClassicText(f"Successfully tagged {name}\n")])
            case TaskTold() | TaskEnded():
                return  # its clients want nothing but images in the store
            case StepContainerRemoved():
                if self._removes_failed or (self._removes and not event.has_failed):
                    self._add(event.step.number, list(_messages(event)))
            case _:
                self._add(event.step.number, list(_messages(event)))
                if isinstance(event, StepEnded):
                    self._advance(event.step)

    def _add(self, number: int, messages: list[ClassicMessage]) -> None:
        if number <= self._current:
            self._say(messages)
        else:
            self._waiting.setdefault(number, []).extend(messages)

    def _advance(self, step: Step) -> None:
        self._ended.add(step.number)
        while self._current in self._ended:
            self._current += 1
            self._say(self._waiting.pop(self._current, []))

    def _say(self, messages: list[ClassicMessage]) -> None:
        for message in messages:
            self._tell(message)


def _messages(
    event: StepStarted
    | StepContainer
    | StepContainerRemoved
    | StepOutput
    | StepPulling
    | InstructionEnded
    | StepEnded,
) -> Iterator[ClassicMessage]:
    match event:
        case StepStarted():
            step = event.step
            yield ClassicText(f"Step {step.number}/{step.total} : {step.text}")
            yield ClassicText("\n")
        case StepContainer():
            yield ClassicText(f" ---> Running in {event.container[:_SHORT]}\n")
        case StepOutput():
            yield ClassicText(event.data.decode(errors="replace"), event.is_error_output)
        case StepPulling():
            yield event.progress
        case StepContainerRemoved():
            yield ClassicText(f"Removing intermediate container {event.container[:_SHORT]}\n")
        case InstructionEnded() if event.is_cached:
            yield ClassicText(" ---> Using cache\n")
        case StepEnded() if not event.error:
            if event.has_image:
                yield ClassicText(f" ---> {short(event.identifier)}\n")
            if event.ends_stage and event.identifier:
                yield ClassicImage(event.identifier)


def _warnings(texts: Sequence[str]) -> str:
    lines = [f"[WARNING]: {text}" for text in texts]
    return "".join(f"{line}\n" for line in lines)


def short(identifier: str) -> str:
    """The start of an identifier that people are shown."""
    return identifier.removeprefix("sha256:")[:_SHORT]
