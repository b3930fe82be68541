"""What `docker buildx build` takes from elsewhere: named contexts, SSH agents, allowances."""

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docker_build import docker, has_buildx
from engines import IMAGE, RunningEngine

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not has_buildx(), reason="needs the plugin docker-buildx"),
]
# An agent's question for its keys, its answer that it has none (RFC draft-miller-ssh-agent).
ASKED, ANSWERED = b"\0\0\0\1\x0b", b"\0\0\0\5\x0c\0\0\0\0"
ASK_AGENT = (
    "socket(S,1,1,0); connect(S,pack(q(S a108),1,$ENV{SSH_AUTH_SOCK})) or die $!; "
    "syswrite(S,qq(\\0\\0\\0\\1\\x0b)); sysread(S,$size,4); sysread(S,$said,5); "
    "print unpack(q(H*),$size.$said)"
)
Build = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def build(sampan: RunningEngine, tmp_path: Path) -> Build:
    """A build of a Dockerfile with further words; `code` is what it has to end with."""

    def run(
        text: str, *words: str, code: int = 0, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        context = tmp_path / "context"
        context.mkdir(exist_ok=True)
        (context / "Dockerfile").write_text(text)
        done = docker(sampan, "buildx", "build", "--no-cache", *words, str(context), **variables)
        assert done.returncode == code, done.stderr
        return done

    return run


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Path]:
    """An agent without keys."""
    place = tmp_path / "agent.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    while peer.recv(100) == ASKED:
                        peer.sendall(ANSWERED)

        thread = threading.Thread(target=serve)
        thread.start()
        yield place
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_an_agent_of_the_client_is_asked(build: Build, agent: Path) -> None:
    run = f"FROM {IMAGE}\nRUN --mount=type=ssh,required perl -e '{ASK_AGENT}'\n"
    assert ANSWERED.hex() in build(run, "--ssh", f"default={agent}").stderr
    assert ANSWERED.hex() in build(run, "--ssh", "default", SSH_AUTH_SOCK=str(agent)).stderr
    named = run.replace("ssh,", "ssh,id=own,")
    assert ANSWERED.hex() in build(named, "--ssh", f"own={agent}").stderr
    refused = build(named, "--ssh", f"default={agent}", code=1).stderr
    assert 'no SSH key "own" forwarded from the client' in refused
    build(f"FROM {IMAGE}\nRUN --mount=type=ssh test -z $SSH_AUTH_SOCK\n")


def test_folders_and_images_in_the_place_of_stages(build: Build, tmp_path: Path) -> None:
    more = tmp_path / "more"
    (more / "deep").mkdir(parents=True)
    (more / "deep/file").write_text("of the folder\n")
    (more / "left-out").write_text("secret\n")
    (more / ".dockerignore").write_text("left-*\n")
    text = (
        f"FROM missing.test/thing AS files\nFROM files AS again\nFROM {IMAGE}\n"
        "COPY --from=again / /again\nCOPY --from=more /deep/file /\n"
        "RUN --mount=from=more,target=/more cat /file /more/deep/file"
        " && test ! -e /again/left-out && test ! -e /more/left-out && cat /again/deep/file\n"
    )
    folders = [f"--build-context={name}={more}" for name in ("more", "missing.test/thing")]
    assert build(text, *folders).stderr.count("of the folder\n") == 3
    # A stage of the name isn't built.
    text = f"FROM {IMAGE} AS more\nRUN false\nFROM {IMAGE}\nCOPY --from=more /deep/file /\n"
    build(text, f"--build-context=more={more}")

    text = "FROM base\nCOPY --from=tools /bin/true /other\nRUN /other && cat /etc/passwd\n"
    images = [f"--build-context={name}=docker-image://{IMAGE}" for name in ("base", "tools")]
    assert "app:/home/app" in build(text, *images).stderr


def test_what_a_build_is_allowed(build: Build) -> None:
    text = f"FROM {IMAGE}\nRUN --network=host cat /proc/net/dev\n"
    assert "network.host is not allowed" in build(text, code=1).stderr
    build(text, "--allow", "network.host")
    build(text, "--network", "host")
    refused = build(text, "--allow", "security.insecure", code=1).stderr
    assert "granting entitlement security.insecure is not allowed" in refused
