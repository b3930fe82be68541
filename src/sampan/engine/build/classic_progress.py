"""A build's events as the lines of Docker's classic builder.

Stages may be built side by side, but are told one after another, in the order of the
Dockerfile: what a later step says waits until those before it are done.
"""

from collections.abc import Callable, Iterator

from sampan.engine.build.contract import (
    BuildEnded,
    BuildEvent,
    BuildProgress,
    BuildTagged,
    BuildWarning,
    ClassicImage,
    ClassicMessage,
    ClassicText,
    StageEnded,
    Step,
    StepContainer,
    StepEnded,
    StepOutput,
    StepPulling,
    StepStarted,
    TaskEnded,
    TaskTold,
)
from sampan.engine.images.reference import familiar, parse_reference

_SHORT = 12


def classic_progress(tell: Callable[[ClassicMessage], None]) -> BuildProgress:
    """What to give to a build so that `tell` gets the classic builder's messages."""
    return _Teller(tell).take


class _Teller:
    def __init__(self, tell: Callable[[ClassicMessage], None]) -> None:
        self._tell = tell
        self._current = 1
        self._waiting: dict[int, list[ClassicMessage]] = {}
        self._ended: set[int] = set()
        self._last_step: dict[str, int] = {}

    def take(self, event: BuildEvent) -> None:
        match event:
            case StageEnded():
                # It belongs to the stage's last step, which has been told of already.
                self._add(self._last_step.get(event.stage, 0), [ClassicImage(event.identifier)])
            case BuildWarning():
                self._say([ClassicText(f"[Warning] {event.text}\n")])
            case BuildEnded():
                self._say([ClassicText(f"Successfully built {short(event.identifier)}\n")])
            case BuildTagged():
                name = familiar(parse_reference(event.name).tagged)
                self._say([ClassicText(f"Successfully tagged {name}\n")])
            case TaskTold() | TaskEnded():
                return  # its clients want nothing but images in the store
            case _:
                self._last_step[event.step.stage] = event.step.number
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
    event: StepStarted | StepContainer | StepOutput | StepPulling | StepEnded,
) -> Iterator[ClassicMessage]:
    match event:
        case StepStarted():
            step = event.step
            yield ClassicText(f"Step {step.number}/{step.total} : {step.text}\n")
        case StepContainer():
            yield ClassicText(f" ---> Running in {event.container[:_SHORT]}\n")
        case StepOutput():
            yield ClassicText(event.data.decode(errors="replace"), event.is_error_output)
        case StepPulling():
            yield event.progress
        case StepEnded() if not event.error:
            if event.is_cached:
                yield ClassicText(" ---> Using cache\n")
            if event.container:
                yield ClassicText(f" ---> Removed intermediate container {event.container[:12]}\n")
            if event.has_image:
                yield ClassicText(f" ---> {short(event.identifier)}\n")


def short(identifier: str) -> str:
    """The start of an identifier that people are shown."""
    return identifier.removeprefix("sha256:")[:_SHORT]
