"""Building images: what comes out, the second time, and what is refused."""

import os
import shutil
from pathlib import Path

import pytest
from gathering import ACCOUNTS, machine_files
from isolation import Place, in_own_process

from sampan.engine.build.builder import Builder
from sampan.engine.build.cache import BuildCache
from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.run_step import StepRunner
from sampan.engine.build.service import BuildArguments, read_plan
from sampan.engine.build.workspace import Workspace
from sampan.engine.images.store import StoredImage

pytestmark = pytest.mark.real


async def build(place: Place, dockerfile: str, **changes: object) -> tuple[StoredImage, list[str]]:
    """Build with a context in `place`; the image and what was told."""
    context = place.folder / "context"
    context.mkdir(exist_ok=True)
    (context / "Dockerfile").write_text(dockerfile)
    runner = StepRunner(place.folder / "builds", f"{place.cgroup}/builds", "/usr/bin/crun")
    await runner.recover()
    told: list[str] = []
    with place.store.pinned() as pins:
        digest = await Builder(
            read_plan(BuildArguments(context=str(context), **changes)),
            place.store,
            workspace=Workspace(place.folder / "workspaces", place.store, pins),
            cache=BuildCache(place.folder / "cache"),
            runner=runner,
            tell=told.append,
        ).build()
        await place.store.tag(digest, "built")
    assert not list((place.folder / "workspaces").iterdir())
    return place.store.stored(digest), told


def add_root(context: Path) -> None:
    for name, source in machine_files().items():
        (context / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, context / "root" / name)
    for name, text in ACCOUNTS.items():
        (context / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (context / "root" / name).write_text(text)


DOCKERFILE = """\
FROM scratch AS base
COPY root/ /
ENV WORD="hello there" MORE=1
WORKDIR /app
RUN echo "$WORD" > greeting && rm /bin/touch && echo told
FROM base
ARG WHO=world
COPY --from=base --chown=app --chmod=0640 /app/greeting ./sub/
COPY text/*.txt link ./sub/
RUN ["/bin/sh", "-c", "echo $WHO > who"]
EXPOSE 80 53/udp
LABEL a=b
USER app
STOPSIGNAL SIGINT
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["cat greeting who sub/*; id; ls -l sub; ls /bin/touch"]
"""


def test_a_build_and_the_same_again(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        context = place.folder / "context"
        add_root(context)
        (context / "text").mkdir()
        (context / "text/a.txt").write_text("from a\n")
        (context / "text/ignored.txt").write_text("ignored\n")
        (context / ".dockerignore").write_text("**/ignored.*\n")
        os.symlink("text/a.txt", context / "link")
        image, told = await build(place, DOCKERFILE, build_arguments={"WHO": "sea"})
        assert "told" in told
        execution = image.configuration.execution
        assert execution.exposed_ports == {"80/tcp": {}, "53/udp": {}}
        assert (execution.user, execution.stop_signal, execution.working_dir) == (
            "app",
            "SIGINT",
            "/app",
        )

        again, told = await build(place, DOCKERFILE, build_arguments={"WHO": "sea"})
        assert again.digest == image.digest
        assert "told" not in told
        fresh, _ = await build(place, DOCKERFILE, build_arguments={"WHO": "land"}, use_cache=True)
        assert fresh.digest != image.digest
        assert fresh.diff_ids[:-1] == image.diff_ids[:-1]

        engine = await place.engine()
        identifier = await engine.create(place.shell("", image="built", command=None))
        await engine.start(identifier)
        await engine.wait(identifier)
        log = place.log()
        for expected in (
            "hello there",
            "land",
            "from a",
            "uid=1000(app)",
            "-rw-r----- 1 app  app",
            "cannot access '/bin/touch'",
        ):
            assert expected in log
        assert "ignored" not in log
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_a_fixed_date_gives_the_same_image_without_a_cache(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        context = place.folder / "context"
        context.mkdir()
        (context / "f").write_text("content")
        text = 'FROM scratch\nWORKDIR /deep/er\nCOPY f .\nCOPY f /other/name\nCMD ["x"]\n'
        settings = {"use_cache": False, "source_date_epoch": "1000000000"}
        one, _ = await build(place, text, **settings)
        os.utime(context / "f", (2_000_000_000, 2_000_000_000))
        two, _ = await build(place, text, **settings)
        assert one.digest == two.digest

    in_own_process(tmp_path, body)


@pytest.mark.parametrize(
    ("dockerfile", "message"),
    [
        ("FROM scratch\nCOPY ../outside /\n", "line 2: .*leads out"),
        ("FROM scratch\nCOPY way/secret /\n", "line 2: .*not there"),
        ("FROM scratch\nCOPY absolute /\n", "line 2: .*not there"),
        ("FROM scratch\nCOPY nosuch /\n", "line 2: .*not there"),
        ("FROM scratch\nCOPY --nosuch=1 f /\n", "line 2: COPY has no flag"),
        ("FROM scratch\nADD f /\n", "line 2: ADD is not supported"),
        ('FROM scratch\n\nRUN ["/nosuch"]\n', "line 3"),
        ("FROM nosuch\n", "line 1: .*No such image"),
        ("FROM scratch\nEXPOSE 99999\n", "line 2: .*not a port"),
        ("FROM scratch\nCOPY f\n", "line 2: COPY wants"),
        ("FROM scratch\nCOPY pipe /\n", "line 2: .*neither"),
    ],
)
def test_what_cannot_be_built_names_its_line(tmp_path: Path, dockerfile: str, message: str) -> None:
    async def body(place: Place) -> None:
        (place.folder / "outside").mkdir()
        (place.folder / "outside/secret").write_text("secret")
        context = place.folder / "context"
        context.mkdir()
        (context / "f").write_text("f")
        os.mkfifo(context / "pipe")
        os.symlink("../outside", context / "way")
        os.symlink("/etc/hostname", context / "absolute")
        with pytest.raises(BuildFailed, match=message):
            await build(place, dockerfile)
        assert place.store.images() == []

    in_own_process(tmp_path, body)


def test_a_link_in_the_image_does_not_lead_a_copy_out_of_it(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        outside = place.folder / "outside"
        outside.mkdir()
        context = place.folder / "context"
        (context / "tree").mkdir(parents=True)
        (context / "f").write_text("f")
        os.symlink(outside, context / "tree/way")
        with pytest.raises(BuildFailed, match="link that leads nowhere"):
            await build(place, "FROM scratch\nCOPY tree/ /\nCOPY f /way/\n")
        assert os.listdir(outside) == []
        os.unlink(context / "tree/way")
        os.symlink("/within", context / "tree/way")
        (context / "tree/within").mkdir()
        image, _ = await build(place, "FROM scratch\nCOPY tree/ /\nCOPY f /way/\n")
        top = place.store.layers.folders(image.diff_ids)[0]
        assert (top / "within/f").read_text() == "f"

    in_own_process(tmp_path, body)
