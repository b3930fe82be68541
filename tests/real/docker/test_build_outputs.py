"""What `docker buildx build` makes of a result: files, archives, images; the same each time."""

import json
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
from docker_build import docker, has_buildx
from engines import IMAGE, RunningEngine

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not has_buildx(), reason="needs the plugin docker-buildx"),
]
EPOCH = 1_000_000_000


def buildx(engine: RunningEngine, *words: str) -> "subprocess.CompletedProcess[str]":
    done = docker(engine, "buildx", "build", *words)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "file").write_text("content\n")
    (folder / "Dockerfile").write_text(
        f"FROM {IMAGE} AS made\n"
        "RUN mkdir -p /out/deep && echo made > /out/deep/it && chmod 4755 /out/deep/it"
        " && ln /out/deep/it /out/same && ln -s deep/it /out/link && : > /out/empty\n"
        "FROM scratch AS files\nCOPY --from=made /out /\nCOPY file /\n"
        f"FROM {IMAGE}\nCOPY file /\nRUN echo more > /more\n"
    )
    return folder


def test_files_come_back_as_they_are(sampan: RunningEngine, context: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    buildx(sampan, "--target", "files", "-o", str(target), str(context))
    assert sorted(path.name for path in target.iterdir()) == [
        *("deep", "empty", "file", "link", "same")
    ]
    buildx(sampan, "--target", "made", "-o", f"type=local,dest={tmp_path}/whole", str(context))
    assert (tmp_path / "whole/etc/passwd").exists()
    target = tmp_path / "whole/out"
    assert (target / "link").readlink() == Path("deep/it")
    assert (target / "link").read_text() == "made\n"
    assert (target / "same").stat().st_ino == (target / "deep/it").stat().st_ino
    assert stat.S_IMODE((target / "same").stat().st_mode) == 0o4755
    assert (target / "empty").read_bytes() == b""


def test_a_root_filesystem_as_a_tar(sampan: RunningEngine, context: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.tar"
    date = f"SOURCE_DATE_EPOCH={EPOCH}"
    words = ("--target", "files", "--build-arg", date, "-o", f"type=tar,dest={target}")
    buildx(sampan, *words, str(context))
    first = target.read_bytes()
    with tarfile.open(target) as archive:
        found = {entry.name: entry for entry in archive}
        assert set(found) == {"deep", "deep/it", "empty", "file", "link", "same"}
        assert {entry.mtime for entry in found.values()} == {EPOCH}
        same = archive.extractfile("same")
        assert same is not None
        assert same.read() == b"made\n"
    buildx(sampan, "--no-cache", *words, str(context))
    assert target.read_bytes() == first


def test_archives_can_be_loaded(sampan: RunningEngine, context: Path, tmp_path: Path) -> None:
    target, told, identifier = tmp_path / "i.tar", tmp_path / "told.json", tmp_path / "id"
    more = ("--metadata-file", str(told), "--iidfile", str(identifier))
    buildx(sampan, "-t", "carried:1", "-o", f"type=docker,dest={target}", *more, str(context))
    assert docker(sampan, "image", "inspect", "carried:1").returncode == 1
    assert docker(sampan, "load", "-i", str(target)).stdout == "Loaded image: carried:1\n"
    shown = docker(sampan, "image", "inspect", "-f", "{{.Id}}", "carried:1").stdout.strip()
    assert shown == identifier.read_text()
    assert json.loads(told.read_text())["containerimage.config.digest"] == shown
    assert docker(sampan, "run", "--rm", "carried:1", "cat", "/more").stdout == "more\n"
    docker(sampan, "rmi", "carried:1")

    digests = set()
    for name in ("one.tar", "two.tar"):
        date = ("--build-arg", f"SOURCE_DATE_EPOCH={EPOCH}", "--no-cache")
        output = f"type=oci,dest={tmp_path / name},rewrite-timestamp=true"
        buildx(sampan, *date, "--metadata-file", str(told), "-o", output, str(context))
        digests.add(json.loads(told.read_text())["containerimage.digest"])
    assert len(digests) == 1
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_the_store_keeps_what_it_is_asked_to(sampan: RunningEngine, context: Path) -> None:
    before = docker(sampan, "images", "-aq", "--no-trunc").stdout.split()
    buildx(sampan, "--no-cache", "-o", "type=cacheonly", str(context))
    assert docker(sampan, "images", "-aq", "--no-trunc").stdout.split() == before
    buildx(sampan, "--load", "-t", "loaded:1", str(context))
    assert docker(sampan, "run", "--rm", "loaded:1", "cat", "/file").stdout == "content\n"
    docker(sampan, "rmi", "loaded:1")


def test_several_platforms_make_one_index(sampan: RunningEngine, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM scratch\nARG TARGETARCH\nCOPY file /$TARGETARCH\n")
    told = context.parent / "told.json"
    platforms = ("--platform", "linux/amd64,linux/arm64")
    buildx(sampan, *platforms, "-t", "both:1", "--metadata-file", str(told), str(context))
    kind = json.loads(told.read_text())["containerimage.descriptor"]["mediaType"]
    assert kind == "application/vnd.oci.image.index.v1+json"
    docker(sampan, "rmi", "both:1")
    target = context.parent / "out"
    buildx(sampan, *platforms, "-o", str(target), str(context))
    assert (target / "linux_arm64/arm64").read_text() == "content\n"
    assert (target / "linux_amd64/amd64").exists()


def test_what_prune_tells_is_what_the_records_took(sampan: RunningEngine, context: Path) -> None:
    docker(sampan, "builder", "prune", "-af")
    buildx(sampan, "-o", "type=cacheonly", "--target", "made", str(context))
    before = docker(sampan, "system", "df", "--format", "{{.Type}} {{.Size}}").stdout
    assert "Build Cache 0B" not in before
    pruned = docker(sampan, "builder", "prune", "-f").stdout
    assert "Total:\t0B" not in pruned
    assert (
        "Build Cache 0B" in docker(sampan, "system", "df", "--format", "{{.Type}} {{.Size}}").stdout
    )
