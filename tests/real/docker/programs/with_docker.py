"""docker-py against the engine at DOCKER_HOST; names each part that held."""

import io
import socket
import tarfile

import docker

IMAGE = "machine"
client = docker.from_env(timeout=20)


def held(part: str) -> None:
    print(part, flush=True)


def refusal(action):
    """The library's error; there must be one."""
    try:
        action()
    except docker.errors.DockerException as error:
        return error
    raise AssertionError("it was not refused")


def everything(connection: socket.socket) -> bytes:
    said = b""
    while piece := connection.recv(4096):
        said += piece
    return said


def runs() -> None:
    assert client.ping()
    said = client.containers.run(IMAGE, ["sh", "-c", "echo out; echo err >&2"], stderr=True)
    assert sorted(said.split()) == [b"err", b"out"]
    error = refusal(lambda: client.containers.run(IMAGE, ["sh", "-c", "exit 3"], remove=True))
    assert error.exit_status == 3
    client.containers.prune()
    held("ran")


def lives() -> None:
    loop = ["sh", "-c", "while :; do echo tick; sleep 0.1; done"]
    container = client.containers.run(IMAGE, loop, detach=True, name="py", labels={"x": "1"})
    assert [one.name for one in client.containers.list(filters={"label": "x=1"})] == ["py"]
    lines = container.logs(stream=True, follow=True)
    assert [next(lines), next(lines)] == [b"tick\n", b"tick\n"]
    assert container.stats(stream=False)["memory_stats"]["usage"] > 0
    assert container.top()["Titles"]
    container.pause()
    container.reload()
    assert container.status == "paused"
    container.unpause()
    container.rename("later")
    container.restart(timeout=0)
    container.kill()
    assert container.wait()["StatusCode"] == 137
    container.remove()
    held("lived")


def commands() -> None:
    container = client.containers.run(IMAGE, ["sleep", "60"], detach=True)
    script = ["sh", "-c", "echo o; echo e >&2; exit 2"]
    assert container.exec_run(script, demux=True) == (2, (b"o\n", b"e\n"))
    started = client.api.exec_create(container.id, ["cat"], stdin=True)["Id"]
    connection = client.api.exec_start(started, socket=True)._sock
    connection.sendall(b"abc")
    connection.shutdown(socket.SHUT_WR)
    assert everything(connection) == b"\x01\0\0\0\0\0\0\x03abc"
    connection.close()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"xyz"))
    assert container.put_archive("/tmp", archive.getvalue())
    pieces, status = container.get_archive("/tmp/file")
    assert status["size"] == 3
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        assert tar.extractfile("file").read() == b"xyz"
    container.remove(force=True)
    held("commanded")


def images() -> None:
    context = io.BytesIO(f"FROM {IMAGE}\nRUN echo 1 > /x\nLABEL a=b\n".encode())
    image, _ = client.images.build(fileobj=context, tag="built:1")
    assert image.labels == {"a": "b"}
    failing = io.BytesIO(f"FROM {IMAGE}\nRUN exit 9\n".encode())
    error = refusal(lambda: client.images.build(fileobj=failing))
    assert "returned a non-zero code: 9" in str(error)
    saved = b"".join(image.save(named=True))
    client.images.remove("built:1")
    (loaded,) = client.images.load(saved)
    assert loaded.tags == ["built:1"]
    client.images.remove("built:1")
    held("built")


def networks_and_volumes() -> None:
    network = client.networks.create("pynet")
    volume = client.volumes.create("pyvol")
    mounts = {"pyvol": {"bind": "/d", "mode": "rw"}}
    client.containers.run(IMAGE, ["sh", "-c", "echo 1 > /d/x"], volumes=mounts, remove=True)
    assert client.containers.run(IMAGE, ["cat", "/d/x"], volumes=mounts, remove=True) == b"1\n"
    container = client.containers.run(IMAGE, ["sleep", "60"], detach=True, network="pynet")
    network.reload()
    assert network.containers == [container]
    network.disconnect(container)
    network.connect(container, aliases=["other"])
    container.remove(force=True)
    volume.remove()
    network.remove()
    held("connected")


for story in (runs, lives, commands, images, networks_and_volumes):
    story()
client.close()
