"""The options of `docker buildx build`, what its other commands tell, and a registry beside it."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from composing import COMPOSE
from docker_build import docker, has_buildx
from engines import IMAGE, RunningEngine, Sampan

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not has_buildx(), reason="needs the plugin docker-buildx"),
]
HOST = "127.0.0.1:5003"
CONFIGURATION = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/blobs}}}}
http: {{addr: "127.0.0.1:5003", secret: none}}
"""
BAKE = """
group "default" { targets = ["one", "two"] }
target "one" {
  dockerfile-inline = "FROM machine\\nARG WHO\\nRUN echo $WHO > /who\\n"
  args = { WHO = "sea" }
  tags = ["baked:one"]
}
target "two" {
  inherits = ["one"]
  args = { WHO = "river" }
  tags = ["baked:two"]
}
"""
Build = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def build(sampan: RunningEngine, tmp_path: Path) -> Build:
    """A build of a Dockerfile with further words, by an engine."""

    def run(
        text: str, *words: str, engine: RunningEngine = sampan, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        context = tmp_path / "context"
        context.mkdir(exist_ok=True)
        (context / "Dockerfile").write_text(text)
        done = docker(engine, "buildx", "build", *words, str(context), **variables)
        assert done.returncode == 0, done.stderr
        return done

    return run


def buildx(sampan: RunningEngine, *words: str) -> str:
    done = docker(sampan, "buildx", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def registry_beside(engine: RunningEngine, folder: Path) -> "subprocess.Popen[bytes]":
    """A registry on the loopback of the engine's namespace, its blobs in the folder."""
    file = folder / "registry.yml"
    file.write_text(CONFIGURATION.format(folder=folder))
    process = subprocess.Popen(
        engine.namespaces.command("docker-registry", "serve", str(file)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(200):
        if engine.namespaces.run("curl", "-s", f"http://{HOST}/v2/").stdout.strip() == "{}":
            break
        time.sleep(0.02)
    return process


@pytest.fixture
def registry(sampan: RunningEngine, tmp_path: Path) -> Iterator[None]:
    if shutil.which("docker-registry") is None:
        pytest.skip("needs docker-registry")
    process = registry_beside(sampan, tmp_path)
    yield
    process.kill()
    process.wait()


def test_what_commands_find(build: Build) -> None:
    limits = "cat /proc/self/limits /etc/hosts /proc/mounts /proc/net/dev"
    text = f"FROM {IMAGE}\nRUN {limits}\n"
    words = ("--ulimit", "nofile=1000:2000", "--shm-size", "24m", "--add-host", "sea:10.9.8.7")
    said = build(text, "--no-cache", *words, "--network", "none").stderr
    assert re.search(r"Max open files +1000 +2000", said)
    assert re.search(r"10\.9\.8\.7\s+sea", said)
    assert re.search(r"/dev/shm tmpfs [^\n]*size=24576k", said)
    assert "lo:" in said
    assert "eth0:" not in said
    assert "eth0:" in build(text, "--no-cache").stderr


def test_only_the_named_stage_is_made_anew(build: Build) -> None:
    text = f"FROM {IMAGE} AS one\nRUN echo 1\nFROM {IMAGE} AS two\nRUN echo 2\nFROM two\n"
    text += "COPY --from=one /etc/passwd /\n"
    build(text)
    assert build(text).stderr.count("CACHED") == 3
    told = build(text, "--no-cache-filter", "two").stderr
    vertexes = dict(re.findall(r"^#(\d+) \[(\w+) 2/2\] RUN", told, re.MULTILINE))
    made = {name: f"#{number} CACHED" not in told for number, name in vertexes.items()}
    assert made == {"one": False, "two": True}


def test_secrets_from_files_and_variables(build: Build, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("of-a-file")
    text = (
        f"FROM {IMAGE}\nRUN --mount=type=secret,id=a --mount=type=secret,id=b,env=B "
        "cat /run/secrets/a && echo and $B\n"
    )
    secrets = ("--secret", f"id=a,src={tmp_path}/key", "--secret", "id=b,env=SAID")
    assert "of-a-fileand of-a-variable" in build(text, *secrets, SAID="of-a-variable").stderr


def test_progress_as_json_lines(build: Build) -> None:
    said = build(f"FROM {IMAGE}\nRUN echo told\n", "--no-cache", "--progress", "rawjson").stderr
    found, decoder = [], json.JSONDecoder()
    while said := said.lstrip():
        status, end = decoder.raw_decode(said)
        found.append(status)
        said = said[end:]
    names = {vertex["name"] for status in found for vertex in status.get("vertexes", ())}
    assert {f"[1/2] FROM {IMAGE}", "[2/2] RUN echo told"} <= names
    assert any("logs" in status for status in found)


def test_a_file_of_bake(sampan: RunningEngine, tmp_path: Path) -> None:
    (tmp_path / "docker-bake.hcl").write_text(BAKE)
    told = tmp_path / "told"
    words = ("-f", str(tmp_path / "docker-bake.hcl"), "--metadata-file", str(told))
    buildx(sampan, "bake", *words, "--set", f"*.context={tmp_path}")
    assert set(json.loads(told.read_text())) == {"one", "two"}
    for name, who in (("one", "sea\n"), ("two", "river\n")):
        ran = docker(sampan, "run", "--rm", "--network", "none", f"baked:{name}", "cat", "/who")
        assert ran.stdout == who
        docker(sampan, "rmi", f"baked:{name}")


def test_builders_and_their_caches(sampan: RunningEngine, build: Build) -> None:
    build(f"FROM {IMAGE}\nRUN echo kept > /kept\n", "--no-cache", "-o", "type=cacheonly")
    assert "default" in buildx(sampan, "ls")
    assert re.search(r"Status: +running", buildx(sampan, "inspect"))
    assert re.search(r"Platforms: +linux/", buildx(sampan, "inspect", "--bootstrap"))
    assert "RUN" in buildx(sampan, "du", "--verbose")
    assert re.search(r"Total:\s+[1-9]", buildx(sampan, "prune", "-f"))


def test_several_platforms_in_a_registry(
    sampan: RunningEngine, build: Build, registry: None, tmp_path: Path
) -> None:
    del registry
    (tmp_path / "context").mkdir()
    (tmp_path / "context/file").write_text("content\n")
    text = "FROM scratch\nARG TARGETARCH\nCOPY file /$TARGETARCH\n"
    name, told = f"{HOST}/team/both:1", tmp_path / "told"
    platforms = ("--platform", "linux/amd64,linux/arm64")
    build(text, *platforms, "-t", name, "--push", "--metadata-file", str(told))
    raw = json.loads(buildx(sampan, "imagetools", "inspect", "--raw", name))
    assert [one["platform"]["architecture"] for one in raw["manifests"]] == ["amd64", "arm64"]
    assert json.loads(told.read_text())["image.name"] == name
    assert "linux/arm64" in buildx(sampan, "imagetools", "inspect", name)
    single = f"{HOST}/team/single:1"
    build(text, "-t", single, "--push")
    assert "rootfs" in buildx(sampan, "imagetools", "inspect", single, "--format", "{{json .}}")
    docker(sampan, "rmi", "-f", name, single)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "type=oci,dest=/dev/null,compression=zstd"), "compression=zstd"),
        (("-o", "type=oci,dest=/dev/null,oci-mediatypes=false"), "oci-mediatypes=false"),
        (("-o", "type=image,force-compression=true"), "force-compression=true"),
        (("--check",), "frontend.lint is not answered here"),
        (("--provenance", "mode=max"), "ttestation"),
        (("--sbom", "true"), "ttestation"),
    ],
)
def test_what_is_declined(
    sampan: RunningEngine, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\n")
    done = docker(sampan, "buildx", "build", *words, str(tmp_path))
    assert done.returncode == 1
    assert said in done.stderr


def test_what_a_dockerfile_offers(build: Build) -> None:
    text = (
        f"ARG BASE={IMAGE}\nFROM $BASE AS one\nARG WHO=sea\n"
        "RUN --mount=type=secret,id=key,required --mount=type=ssh --mount=type=cache,target=/c "
        "true\nFROM one\n"
    )
    targets = json.loads(build(text, "--call", "targets,format=json").stdout)["targets"]
    assert targets == [{"name": "one", "base": IMAGE}, {"default": True, "base": "one"}]
    words = ("--target", "one", "--build-arg", "WHO=river", "--call")
    told = json.loads(build(text, *words, "outline,format=json").stdout)
    assert told["args"] == [{"name": "BASE", "value": IMAGE}, {"name": "WHO", "value": "river"}]
    assert told["secrets"] == [{"name": "key", "required": True}]
    assert told["ssh"] == [{"name": "default"}]
    assert told["cache"] == [{"ID": "/c"}]
    assert "TARGET" in build(text, *words, "outline").stdout
    assert "(default)" in build(text, "--call", "targets").stdout


def test_a_second_engine_knows_what_the_first_has_built(
    build: Build, registry: None, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    del registry
    place = f"type=registry,ref={HOST}/team/cache"
    text = f"FROM {IMAGE} AS made\nRUN echo slow > /slow\nFROM {IMAGE}\nCOPY --from=made /slow /\n"
    build(text, "--no-cache", "--cache-to", f"{place},mode=max")
    with Sampan(tmp_path_factory.mktemp("second")) as second:
        process = registry_beside(second, tmp_path)
        try:
            said = build(text, "--cache-from", place, engine=second).stderr
        finally:
            process.kill()
            process.wait()
    assert said.count("CACHED") == 2


def test_compose_builds_by_buildx(sampan: RunningEngine, tmp_path: Path) -> None:
    if not COMPOSE.exists():
        pytest.skip("needs docker compose")
    docker(sampan, "version")
    plugin = sampan.folder / "cli-plugins/docker-compose"
    plugin.unlink(missing_ok=True)
    plugin.symlink_to(COMPOSE)
    (tmp_path / "key").write_text("hidden")
    (tmp_path / "compose.yaml").write_text(
        "name: built\nsecrets: {key: {file: ./key}}\n"
        "services:\n  one:\n    image: composed:1\n    build:\n      context: .\n"
        "      secrets: [key]\n      args: {WHO: sea}\n      dockerfile_inline: |\n"
        f"        FROM {IMAGE}\n        ARG WHO\n"
        "        RUN --mount=type=secret,id=key echo $$WHO $$(cat /run/secrets/key) > /said\n"
    )
    done = docker(sampan, "compose", "-f", str(tmp_path / "compose.yaml"), "build")
    assert done.returncode == 0, done.stderr
    ran = docker(sampan, "run", "--rm", "--network", "none", "composed:1", "cat", "/said")
    assert ran.stdout == "sea hidden\n"
    docker(sampan, "rmi", "composed:1")
