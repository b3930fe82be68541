"""The options of `sampan run` become the document that asks the engine for a container."""

import pytest

from sampan.faces.cli.engine import option_values
from sampan.faces.cli.engine.run_options import parse
from sampan.faces.cli.engine.wanted_container import UsageError, Wanted


def wanted(*words: str, environment: dict[str, str] | None = None) -> Wanted:
    found = parse([*words, "image"], environment or {})
    assert found is not None
    return found


def test_options_before_the_image_and_the_command_after_it() -> None:
    words = [
        *("-it", "--rm", "-e", "A=1", "-eB", "-e", "C", "--name=x", "-m", "64m", "--cpus", "0.5"),
        *("-v", "/a:/b:ro", "-v", "/anonymous", "--entrypoint", "sh", "image", "-c", "exit 3"),
    ]
    found = parse(words, {"B": "2"})
    assert found is not None
    assert found.name == "x"
    assert found.document == {
        "Image": "image",
        "Cmd": ["-c", "exit 3"],
        "Entrypoint": ["sh"],
        "Env": ["A=1", "B=2"],
        "OpenStdin": True,
        "StdinOnce": True,
        "Tty": True,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Volumes": {"/anonymous": {}},
        "HostConfig": {
            "AutoRemove": True,
            "Memory": 64 << 20,
            "NanoCpus": 500_000_000,
            "Binds": ["/a:/b:ro"],
        },
    }


def test_ports_are_published_singly_and_in_ranges() -> None:
    host = wanted("-p", "80", "-p127.0.0.1:8080-8081:90-91/udp", "-p", "[::1]:1:2").host
    assert host["PortBindings"] == {
        "80/tcp": [{"HostIp": "", "HostPort": ""}],
        "90/udp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
        "91/udp": [{"HostIp": "127.0.0.1", "HostPort": "8081"}],
        "2/tcp": [{"HostIp": "::1", "HostPort": "1"}],
    }


def test_networks_limits_and_health() -> None:
    found = wanted(
        *("--net", "mine", "--network-alias", "db", "--ip", "10.0.0.5"),
        *("--device-write-bps", "/dev/sda:1mb", "--ulimit", "nofile=10:20"),
        *("--restart", "on-failure:3", "--health-cmd", "true", "--health-interval", "1m30s"),
        *("--mount", "type=tmpfs,dst=/t,tmpfs-size=1m", "--read-only=false"),
    )
    assert found.document["NetworkingConfig"] == {
        "EndpointsConfig": {"mine": {"Aliases": ["db"], "IPAMConfig": {"IPv4Address": "10.0.0.5"}}}
    }
    assert found.document["Healthcheck"] == {"Test": ["CMD-SHELL", "true"], "Interval": 90 * 10**9}
    assert found.host == {
        "NetworkMode": "mine",
        "BlkioDeviceWriteBps": [{"Path": "/dev/sda", "Rate": 1 << 20}],
        "Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 20}],
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        "Mounts": [{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1 << 20}}],
        "ReadonlyRootfs": False,
    }


def test_help_is_no_run() -> None:
    assert parse(["--help"], {}) is None


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["-d"],
        ["--nosuch", "x"],
        ["-m", "much", "x"],
        ["--name"],
        ["-v", "relative", "x"],
        ["-p", "0:80", "x"],
        ["-p", "1-3:5-6", "x"],
        ["--mount", "type=bind", "x"],
        ["--restart", "sometimes", "x"],
        ["--health-interval", "soon", "x"],
        ["--ulimit", "nofile", "x"],
        ["--rm=perhaps", "x"],
    ],
)
def test_what_cannot_be_understood(words: list[str]) -> None:
    with pytest.raises(UsageError):
        parse(words, {})


@pytest.mark.parametrize(
    ("text", "count"), [("1", 1), ("2k", 2048), ("1.5g", 3 << 29), ("7mb", 7 << 20), ("1KiB", 1024)]
)
def test_sizes(text: str, count: int) -> None:
    assert option_values.size(text) == count
