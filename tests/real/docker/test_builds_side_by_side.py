"""The same builds by our classic builder and by Docker's (20.10): what is said, what happens,
what comes of it.

Each difference that is left is told here with its reason; one that isn't fails the test.
"""

import difflib
import io
import json
import re
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from typing import Any

import msgspec
import pytest
from build_cases import CASES, Case
from comparison import differences
from engines import RunningEngine

pytestmark = pytest.mark.real

V = "/v1.41"
_IDENTIFIERS = re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{12})\b")
# How copied files are told: each engine has its own way to sum them up.
_SUMS = re.compile(r"(?:file|dir|multi):[0-9a-f]{64}")
_COMPARED = ("Config", "RootFS", "Author", "Comment", "Parent", "Architecture", "Os", "Size")

# A pattern of cases, one of their differences, and why it is there. Of lines, "-" are Docker's.
EXPLAINED = [
    # Newer words of Docker's own.
    ("*", "?says {*dockerfile parse error *line *", "the words since Docker 23, with the line"),
    ("bad-env*", "-says *failed to parse Dockerfile*", "the line is told"),
    ("bad-escape", "-says *failed to parse Dockerfile*", "the line is told"),
    ("no-from", "-says *no build stage*", "the line is told"),
    ("bad-base", "?says *repository name*must be lowercase*", "the name is told, as since 24"),
    ("bad-tag", "?says *repository name*must be lowercase*", "the name is told, as since 24"),
    ("bad-quote", "?says *failed to process*", "the whole text is shown"),
    ("bad-variable", "?says *failed to process*", "the words since Docker 23"),
    ("no-program", "?says *executable file*", "another runtime"),
    ("metadata", "history *HEALTHCHECK*", "a start interval, since Docker 25"),
    ("limits", "?says f*00::*", "as since Docker 25"),
    # Statuses: a request that is wrong is never the server's fault.
    ("no-dockerfile", "status 400, Docker has 500", "the request is wrong"),
    ("other-file", "status 400, Docker has 500", "the request is wrong"),
    ("outside", "status 400, Docker has 500", "the request is wrong"),
    ("bad-tag", "status 400, Docker has 500", "the request is wrong"),
    ("bad-version", "status 400, Docker has 500", "the request is wrong"),
    ("bad-cache", "*", "the request is wrong, and what of it is told"),
    ("bad-memory", "*", "Docker takes what is no number for none"),
    ("bad-*", "?says *error reading*", "another decoder of JSON"),
    ("remote*", "status 400, Docker has 500", "the request is wrong"),
    ("remote-git", "?says *", "git repositories are not fetched"),
    # Told before anything is built.
    ("from-blank", "*", "Docker begins with the ARG before it"),
    ("run-nothing", "*", "Docker has the shell say it"),
    # What differs by intention.
    ("target", "*", "stages that the target doesn't need are not built"),
    ("ignored-file", "*", ".dockerignore counts whoever packed the context"),
    ("kept", "events *container destroy*", "containers of steps go with the build"),
    ("*fail*", "events +container destroy*", "containers of steps go with the build"),
    ("no-program", "events *", "containers of steps go with the build; it is found when run"),
    ("bad-network", "events *", "containers of steps go with the build"),
    ("*", "events -volume *", "volumes of steps are folders of the build's own"),
    ("scratch-label", "events *container *", "named though it is empty"),
    ("scratch-label", ".RootFS.Layers: *", "an empty list"),
    ("*", "*.Config.Image: *", "gone from Docker's images since 25"),
]


@pytest.fixture(scope="module")
def sampan(unused_sampan: RunningEngine) -> RunningEngine:
    return unused_sampan


class Result(msgspec.Struct):
    """`image` and `history` are of what was built, None if nothing was."""

    status: int
    lines: list[str]
    events: list[str]
    image: dict[str, Any] | None = None
    history: Any = None


def built(engine: RunningEngine, case: Case) -> Iterator[Result]:
    for _ in range(case.times):
        since = time.time_ns()
        answer = engine.ask("POST", case.path, data=case.context())
        until = time.time_ns()
        query = f"since={_seconds(since)}&until={_seconds(until)}"
        result = Result(
            answer.status,
            list(said(answer.lines)),
            [_event(event) for event in engine.ask("GET", f"{V}/events?{query}").lines],
        )
        inspected = engine.ask("GET", f"{V}/images/case-{case.name}/json")
        if inspected.status == 200:
            result.image = {name: inspected.tree.get(name) for name in _COMPARED}
            result.history = engine.ask("GET", f"{V}/images/case-{case.name}/history").tree
            for line in result.history:
                line["CreatedBy"] = _SUMS.sub("<sum>", line["CreatedBy"])
        yield result


def _all(engine: RunningEngine) -> list[list[Result]]:
    return [list(built(engine, case)) for case in CASES]


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"


def _event(event: dict[str, Any]) -> str:
    return " ".join([event["Type"], event["Action"], *sorted(event["Actor"]["Attributes"])])


def said(messages: list[dict[str, Any]]) -> Iterator[str]:
    """The lines of a build's messages, identifiers left out."""
    text = ""
    for message in messages:
        if message.keys() == {"stream"}:
            text += message["stream"]
        else:
            text += f"{json.dumps(message, sort_keys=True)}\n"
    yield from _IDENTIFIERS.sub("<id>", text).splitlines()


def compared(ours: Result, theirs: Result) -> Iterator[str]:
    if ours.status != theirs.status:
        yield f"status {ours.status}, Docker has {theirs.status}"
    for line in _changes(theirs.lines, ours.lines):
        yield f"{line[0]}says {line[1:]}"
    for line in _changes(theirs.events, ours.events):
        yield f"events {line}"
    if (ours.image is None) != (theirs.image is None):
        yield f"an image is {'missing' if ours.image is None else 'there'}"
    elif ours.image is not None:
        yield from differences(ours.image, theirs.image)
        yield from (f"history {line}" for line in differences(ours.history, theirs.history))


def _changes(theirs: list[str], ours: list[str]) -> Iterator[str]:
    for line in difflib.ndiff(theirs, ours):
        if line[0] in "-+":
            yield line[0] + line[2:]


def explained(case: Case, difference: str) -> bool:
    return any(
        fnmatchcase(case.name, name) and fnmatchcase(difference, pattern)
        for name, pattern, _ in EXPLAINED
    )


def files(engine: RunningEngine, case: Case) -> dict[str, Any]:
    """What was copied and made, by path: kind, mode, owner, size, target."""
    assert engine.ask("POST", case.path, data=case.context()).status == 200
    body = {"Image": f"case-{case.name}", "Cmd": ["true"]}
    container = engine.ask("POST", f"{V}/containers/create", body).tree["Id"]
    exported = engine.ask("GET", f"{V}/containers/{container}/export").data
    engine.ask("DELETE", f"{V}/containers/{container}?v=1")
    with tarfile.open(fileobj=io.BytesIO(exported)) as archive:
        return {
            entry.name.rstrip("/"): (
                entry.type,
                entry.mode & 0o7777,
                (entry.uid, entry.gid),
                entry.size,
                entry.linkname,
            )
            for entry in archive
            if entry.name.startswith(("w/", "home/", "dir/", "data/", "link", "sub/", "app/"))
        }


@pytest.mark.parametrize("name", ["places", "copies"])
def test_files_are_alike(sampan: RunningEngine, docker: RunningEngine, name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    ours, theirs = (files(engine, case) for engine in (sampan, docker))
    assert ours == theirs
    assert len(ours) >= 8


def test_builds_are_alike(sampan: RunningEngine, docker: RunningEngine) -> None:
    left = []
    with ThreadPoolExecutor(2) as pool:
        for case, ours, theirs in zip(CASES, *pool.map(_all, (sampan, docker)), strict=True):
            left += [
                f"{case.name}: {difference}"
                for one, other in zip(ours, theirs, strict=True)
                for difference in compared(one, other)
                if not explained(case, difference)
            ]
    assert not left, "\n".join(left)
