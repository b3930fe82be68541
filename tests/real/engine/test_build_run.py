"""RUN: here-documents, mounts, limits, and what the layers hold of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from building import add_root, build, named
from isolation import Place, in_own_process

from sampan.engine.build.contract import StepResources
from sampan.engine.build.errors import BuildFailed
from sampan.engine.configuration import Limits
from sampan.engine.images.contract import Credentials
from sampan.engine.runtime.specification import DEFAULT_PATH

pytestmark = pytest.mark.real


class Client:
    """A client with one secret and no agent."""

    async def credentials(self, registry: str) -> Credentials | None:
        return None

    async def secret(self, identifier: str) -> bytes | None:
        return b"hidden" if identifier == "key" else None

    @asynccontextmanager
    async def ssh_agent(self, identifier: str) -> AsyncIterator[Path | None]:
        yield None


async def built(place: Place, dockerfile: str, **changes: object) -> tuple[list[Path], str]:
    """The folders of the layers, the topmost first, and what was printed."""
    if not (place.folder / "context/root").exists():
        add_root(place.folder / "context")
        await build(place, "FROM scratch\nCOPY root/ /\n", outputs=named("base"))
    image, told = await build(place, f"FROM base\n{dockerfile}", **changes)
    return list(place.store.layers.folders(image.diff_ids)), told


def test_heredocs(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        text = (
            "ARG WHO=sea\nWORKDIR /w\n"
            'RUN <<EOF\nset -e\necho "one $WHO" > a\necho two >> a\nEOF\n'
            "RUN <<X\n#!/bin/perl\nprint 'from perl', qq{\\n};\nX\n"
            "RUN cat <<A > b && cat <<B >> b\nfirst\nA\nsecond\nB\n"
            "COPY --chmod=u=rw,go= <<c.txt <<'d.txt' /w/\n$WHO\nc.txt\n$WHO\nd.txt\n"
        )
        folders, told = await built(place, text)
        assert "from perl\n" in told
        assert (folders[0] / "w/c.txt").read_text() == "sea\n"
        assert (folders[0] / "w/d.txt").read_text() == "$WHO\n"
        assert (folders[0] / "w/c.txt").stat().st_mode & 0o777 == 0o600
        assert (folders[1] / "w/b").read_text() == "first\nsecond\n"
        assert (folders[2] / "w/a").read_text() == "one sea\ntwo\n"

    in_own_process(tmp_path, body)


def test_mounts_appear_and_leave_nothing_behind(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        context = place.folder / "context"
        context.mkdir()
        (context / "given").write_text("given\n")
        text = (
            "RUN --mount=type=bind,target=/src --mount=type=tmpfs,target=/deep/tmp,size=1m "
            "--mount=type=secret,id=key --mount=type=secret,id=key,env=KEY,target=/s "
            "--mount=type=cache,target=/var/cache/it "
            "cat /src/given /run/secrets/key /s && echo env $KEY && touch /deep/tmp/x "
            "&& echo kept >> /var/cache/it/log && ls -l /run/secrets/key > /done "
            "&& if touch /src/new; then exit 5; fi\n"
            "RUN --mount=type=cache,target=/var/cache/it,ro cat /var/cache/it/log\n"
            "RUN --mount=type=bind,target=/src,rw touch /src/new && echo wrote\n"
        )
        folders, told = await built(place, text, sources=Client())
        for expected in ("given\nhiddenhiddenenv hidden\n", "kept\n", "wrote\n"):
            assert expected in told
        assert not (context / "new").exists()
        # The folder that was made to mount at is left out, those that it lies in as well.
        assert sorted(path.name for path in folders[0].iterdir()) == ["done"]
        assert (folders[0] / "done").read_text().startswith("-r--------")
        assert "hidden" not in str(place.store.resolve("built").configuration)

    in_own_process(tmp_path, body)


def test_a_stage_can_be_mounted(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        text = (
            "AS tools\nRUN echo tool > /tool\nFROM base\n"
            "RUN --mount=from=tools,source=/tool,target=/t cat /t\n"
            "RUN --mount=type=secret,id=nosuch echo none\n"
        ).replace("AS tools", "", 1)
        text = "RUN echo tool > /tool\nFROM base\n" + text.partition("FROM base\n")[2]
        _, told = await built(place, text.replace("from=tools", "from=0"))
        assert "\ntool\n" in told
        assert "\nnone\n" in told
        with pytest.raises(BuildFailed, match="secret nosuch: not found"):
            await built(place, "RUN --mount=type=secret,id=nosuch,required x\n")

    in_own_process(tmp_path, body)


def test_limits_hold_while_a_command_runs(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        wanted = StepResources(limits=Limits(pids=20, memory=64 << 20))
        text = (
            "RUN for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 9 & done\n"
        )
        with pytest.raises(BuildFailed, match="non-zero code: 2"):
            await built(place, text, resources=wanted)
        filling = "RUN perl -e '$x = \"a\" x 200000000; print length $x'\n"
        with pytest.raises(BuildFailed, match="non-zero code: 137"):
            await built(place, filling, resources=wanted)

    in_own_process(tmp_path, body)


def test_the_words_of_the_classic_builder(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        text = 'ARG X=1\nRUN echo out; echo err >&2\nSHELL ["/bin/sh", "-ec"]\nCMD echo hi\n'
        await built(place, text)
        _, told = await built(
            place, text, build_arguments={"X": "2", "UNUSED": "x"}, labels={"a": "b c"}
        )
        lines = told.splitlines()
        shown = [line for line in lines if line.startswith(("Step", "Succ", "[W", "out", "err"))]
        assert shown == [
            "Step 1/6 : FROM base",
            "Step 2/6 : ARG X=1",
            "Step 3/6 : RUN echo out; echo err >&2",
            "out",
            "err",
            'Step 4/6 : SHELL ["/bin/sh", "-ec"]',
            "Step 5/6 : CMD echo hi",
            "Step 6/6 : LABEL a=b c",
            "[Warning] One or more build-args [UNUSED] were not consumed",
            lines[-2],
            "Successfully tagged built:latest",
        ]
        assert lines[-2].startswith("Successfully built ")
        assert lines[2:5] == ["Step 2/6 : ARG X=1", " ---> Using cache", lines[4]]
        image = place.store.resolve("built").configuration
        assert [entry.created_by for entry in image.history][1:] == [
            "/bin/sh -c #(nop)  ARG X=1",
            "|1 X=2 /bin/sh -c echo out; echo err >&2",
            "/bin/sh -ec #(nop)  SHELL [/bin/sh -ec]",
            '/bin/sh -ec #(nop)  CMD ["/bin/sh" "-ec" "echo hi"]',
            "/bin/sh -ec #(nop)  LABEL a=b c",
        ]
        assert image.execution.cmd == ("/bin/sh", "-ec", "echo hi")
        assert image.execution.labels == {"a": "b c"}

    in_own_process(tmp_path, body)


def test_what_is_written_to_a_volume_goes_with_the_container(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        text = (
            "RUN mkdir -m 1777 /v /rel && echo 1 > /v/a\nVOLUME /v rel\nUSER app\n"
            "RUN echo 2 > /v/b; ls -d /v/* /rel\nRUN ls -d /v/* /rel\n"
        )
        for history, places_of_b in (("classic", 1), ("buildkit", 2)):
            _, told = await built(place, text, history=history)
            lines = told.splitlines()
            assert (lines.count("/rel"), lines.count("/v/a")) == (2, 2)
            assert lines.count("/v/b") == places_of_b

    in_own_process(tmp_path, body)


def test_triggers_run_in_the_image_that_begins_with_theirs(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await built(
            place, "ONBUILD RUN echo trig > /trig\nONBUILD ENV T=1\n", outputs=named("parent")
        )
        assert place.store.resolve("parent").configuration.execution.on_build == (
            "RUN echo trig > /trig",
            "ENV T=1",
        )
        image, told = await build(place, "FROM parent\nRUN cat /trig\n")
        assert "# Executing 2 build triggers\n" in told
        assert "\ntrig\n" in told
        assert image.configuration.execution.on_build is None
        assert image.configuration.execution.env == (f"PATH={DEFAULT_PATH}", "T=1")

    in_own_process(tmp_path, body)


def test_a_build_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await built(place, "ENV A=b\n")
        text = (
            "FROM base AS one\nRUN --mount=type=cache,target=/c sleep 60\n"
            "FROM base\nCOPY --from=one /etc/passwd /p\nRUN sleep 60\n"
        )
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await build(place, text)
        # The place itself looks for processes and control groups that are left.
        assert not list((place.store.folder / "builds").iterdir())
        assert not list((place.folder / "builds/bundles").iterdir())
        kept = Path("/proc/self/mountinfo").read_text()
        assert str(place.store.folder / "builds") not in kept

    in_own_process(tmp_path, body)


def test_one_stage_that_fails_ends_the_others(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await built(place, "ENV A=b\n")
        text = (
            "FROM base AS slow\nRUN sleep 60\nFROM base AS wrong\nRUN exit 3\n"
            "FROM base\nCOPY --from=slow /etc/passwd /p\nCOPY --from=wrong /etc/passwd /q\n"
        )
        with pytest.raises(BuildFailed, match="non-zero code: 3") as caught:
            await build(place, text)
        assert (caught.value.line, caught.value.exit_code) == (4, 3)
        assert not list((place.store.folder / "builds").iterdir())

    in_own_process(tmp_path, body)


def test_independent_stages_run_side_by_side(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await built(place, "ENV A=b\n")
        # Each waits for the other, in a folder that both share.
        wait = "while ! test -e /m/{}; do sleep 0.05; done"
        meet = "RUN --mount=type=cache,target=/m touch /m/{} && " + wait
        text = (
            f"FROM base AS one\n{meet.format(1, 2)}\nFROM base AS two\n{meet.format(2, 1)}\n"
            "FROM base\nCOPY --from=one /etc/passwd /p\nCOPY --from=two /etc/passwd /q\n"
        )
        await build(place, text)

    in_own_process(tmp_path, body)
