"""Stages that are built side by side are told one after another."""

from sampan.engine.build.classic_progress import classic_progress
from sampan.engine.build.contract import (
    BuildEnded,
    BuildEvent,
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
    StepStarted,
)


def step(number: int, stage: str, text: str) -> Step:
    return Step(number=number, total=3, stage=stage, line=1, text=text, name=text.partition(" ")[0])


FIRST, SECOND, THIRD = step(1, "a", "FROM x"), step(2, "a", "RUN one"), step(3, "b", "FROM y")
IDENTIFIER = "sha256:" + "0123456789ab" + "0" * 52


def told(*events: BuildEvent) -> list[ClassicMessage]:
    messages: list[ClassicMessage] = []
    progress = classic_progress(messages.append)
    for event in events:
        progress(event)
    return messages


def test_a_later_stage_waits_for_its_turn() -> None:
    messages = told(
        StepStarted(FIRST),
        StepStarted(THIRD),
        InstructionEnded(THIRD, True),
        StepEnded(step=THIRD, identifier=IDENTIFIER, ends_stage=True),
        StepEnded(step=FIRST, identifier=IDENTIFIER),
        StepStarted(SECOND),
        StepContainer(SECOND, "c" * 64),
        StepOutput(SECOND, b"out\n"),
        StepOutput(SECOND, b"err\n", is_error_output=True),
        StepContainerRemoved(SECOND, "c" * 64, False),
        InstructionEnded(SECOND, False),
        StepEnded(step=SECOND, identifier=IDENTIFIER, ends_stage=True),
        BuildWarning("careful"),
        BuildEnded(IDENTIFIER),
        BuildTagged("docker.io/library/x:1"),
    )
    assert messages == [
        ClassicText("Step 1/3 : FROM x"),
        ClassicText("\n"),
        ClassicText(" ---> 0123456789ab\n"),
        ClassicText("Step 2/3 : RUN one"),
        ClassicText("\n"),
        ClassicText(" ---> Running in cccccccccccc\n"),
        ClassicText("out\n"),
        ClassicText("err\n", is_error_output=True),
        ClassicText("Removing intermediate container cccccccccccc\n"),
        ClassicText(" ---> 0123456789ab\n"),
        ClassicImage(IDENTIFIER),
        ClassicText("Step 3/3 : FROM y"),
        ClassicText("\n"),
        ClassicText(" ---> Using cache\n"),
        ClassicText(" ---> 0123456789ab\n"),
        ClassicImage(IDENTIFIER),
        ClassicText("[Warning] careful\n"),
        ClassicText("Successfully built 0123456789ab\n"),
        ClassicText("Successfully tagged x:1\n"),
    ]


def test_a_step_that_failed_shows_no_image() -> None:
    messages = told(StepStarted(FIRST), StepEnded(step=FIRST, error="no"))
    assert messages == [ClassicText("Step 1/3 : FROM x"), ClassicText("\n")]


def test_of_containers_that_went_is_told_when_wanted() -> None:
    for removes, removes_failed, told_of in (
        (True, False, ["succeeded"]),
        (False, False, []),
        (True, True, ["succeeded", "has_failed"]),
    ):
        messages: list[ClassicMessage] = []
        progress = classic_progress(messages.append, removes=removes, removes_failed=removes_failed)
        progress(StepContainerRemoved(FIRST, "succeeded", False))
        progress(StepContainerRemoved(FIRST, "has_failed", True))
        assert messages == [
            ClassicText(f"Removing intermediate container {name}\n") for name in told_of
        ]


def test_warnings_of_the_dockerfile_stand_apart() -> None:
    assert told(DockerfileWarnings(("one", "two"))) == [
        ClassicText("[WARNING]: one\n[WARNING]: two\n", is_error_output=True)
    ]
