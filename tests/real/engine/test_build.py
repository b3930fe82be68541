"""Building images: what comes out, the second time, and what is refused."""

import os
from pathlib import Path

import pytest
from building import add_root, build
from isolation import Place, in_own_process

from sampan.engine.build.errors import BuildFailed

pytestmark = pytest.mark.real

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
        assert "\ntold\n" in told
        assert "Using cache" not in told
        execution = image.configuration.execution
        assert execution.exposed_ports == {"80/tcp": {}, "53/udp": {}}
        assert (execution.user, execution.stop_signal, execution.working_dir) == (
            "app",
            "SIGINT",
            "/app",
        )

        again, told = await build(place, DOCKERFILE, build_arguments={"WHO": "sea"})
        assert again.digest == image.digest
        assert "\ntold\n" not in told
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
        settings = {
            "use_cache": False,
            "build_arguments": {"SOURCE_DATE_EPOCH": "1000000000"},
        }
        one, _ = await build(place, text, **settings)
        os.utime(context / "f", (2_000_000_000, 2_000_000_000))
        two, _ = await build(place, text, **settings)
        assert one.digest == two.digest

    in_own_process(tmp_path, body)


@pytest.mark.parametrize(
    ("dockerfile", "line", "message"),
    [
        ("FROM scratch\nCOPY ../outside /\n", 2, "COPY failed: forbidden path outside"),
        ("FROM scratch\nCOPY way/secret /\n", 2, "stat way/secret: file does not exist"),
        ("FROM scratch\nCOPY absolute /\n", 2, "stat absolute: file does not exist"),
        ("FROM scratch\nCOPY nosuch /\n", 2, "stat nosuch: file does not exist"),
        ("FROM scratch\nCOPY --nosuch=1 f /\n", 2, "on line 2: unknown flag: --nosuch"),
        ("FROM scratch\nADD https://example.org/x.git /\n", 2, "is a git repository"),
        ('FROM scratch\n\nRUN ["/nosuch"]\n', 3, "container process: exec: ..nosuch"),
        ("FROM nosuch\n", 1, "No such image: nosuch:latest"),
        ("FROM scratch\nEXPOSE 99999\n", 2, "^Invalid containerPort: 99999"),
        ("FROM scratch\nCOPY f\n", 2, "COPY requires at least two arguments"),
        ("FROM scratch\nCOPY pipe /\n", 2, "neither a file"),
        ("FROM scratch\nRUN --security=insecure x\n", 2, "security.insecure is not allowed"),
        ("FROM scratch\nRUN --network=host x\n", 2, "network.host is not allowed"),
        ("FROM scratch AS 1a\n", 1, "invalid name for build stage"),
        (
            "FROM scratch\nFOO bar\n",
            2,
            "dockerfile parse error on line 2: unknown instruction: FOO",
        ),
        ("RUN x\n", 1, "no build stage in current context"),
    ],
)
def test_what_cannot_be_built_names_its_line(
    tmp_path: Path, dockerfile: str, line: int, message: str
) -> None:
    async def body(place: Place) -> None:
        (place.folder / "outside").mkdir()
        (place.folder / "outside/secret").write_text("secret")
        context = place.folder / "context"
        context.mkdir()
        (context / "f").write_text("f")
        os.mkfifo(context / "pipe")
        os.symlink("../outside", context / "way")
        os.symlink("/etc/hostname", context / "absolute")
        with pytest.raises(BuildFailed, match=message) as caught:
            await build(place, dockerfile)
        assert caught.value.line == line
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
