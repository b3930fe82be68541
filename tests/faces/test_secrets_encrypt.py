"""`sampan secrets-encrypt`, with a server that is told here."""

import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from tests.local_instance import LocalInstance

from sampan.faces.cli import secrets_encrypt_commands as commands
from sampan.faces.cli.session import Session
from sampan.faces.cli.supervisor_client import NotRunning
from sampan.foundation import encryption_configuration as encryption
from sampan.foundation.settings import Instance


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instance:
    monkeypatch.setattr(commands, "require_root", lambda: None)
    return LocalInstance(folder=tmp_path)


@pytest.fixture
def server(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """A server with keys, which does at SIGHUP what it should; the signals that it got."""
    first = encryption.first_configuration(b"1" * 32, datetime(2026, 1, 1, tzinfo=UTC))
    encryption.write(encryption.path_of(instance), first)
    signals: list[tuple[int, int]] = []

    def obey(process: int, number: int) -> None:
        signals.append((process, number))
        keys = encryption.writing_keys(encryption.read(encryption.path_of(instance)))
        path = encryption.record_path(instance)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(encryption.Record(keys, 7, "2026-01-02T03:04:05")))

    processes = [{"role": "engine", "process": 5}, {"role": "server", "process": 42}]
    monkeypatch.setattr(commands, "demand", lambda *_, **__: {"processes": processes})
    monkeypatch.setattr(os, "kill", obey)
    return signals


def call(instance: Instance, *arguments: str) -> Result:
    session = Session(instance, None)  # type: ignore[arg-type] - nothing is launched
    return CliRunner().invoke(commands.secrets_encrypt, arguments, obj=session)


def test_a_rotation_puts_a_new_key_first_and_waits_for_the_server(
    instance: Instance, server: list[tuple[int, int]]
) -> None:
    result = call(instance, "rotate")
    assert result.exit_code == 0, result.output
    assert "7 values are encrypted with key-" in result.output
    assert server == [(42, signal.SIGHUP)]
    (rule,) = encryption.read(encryption.path_of(instance))
    assert [key.secret == b"1" * 32 for key in rule.keys] == [False, True]
    shown = call(instance, "status").output
    new, old = (line for line in shown.splitlines() if "secrets" in line)
    assert "writes" in new
    assert "7, 2026-01-02T03:04:05" in new
    assert "reads" in old


def test_without_a_server_nothing_is_changed(
    instance: Instance, server: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object, **__: object) -> dict[str, object]:
        raise NotRunning

    monkeypatch.setattr(commands, "demand", absent)
    before = encryption.path_of(instance).read_bytes()
    result = call(instance, "rotate")
    assert result.exit_code == 1
    assert "not running" in result.output
    assert encryption.path_of(instance).read_bytes() == before
    assert server == []


def test_before_the_first_start_there_is_no_key(instance: Instance) -> None:
    result = call(instance, "status")
    assert result.exit_code == 1
    assert "no key yet" in result.output


def test_keys_are_never_shown(instance: Instance, server: list[tuple[int, int]]) -> None:
    shown = call(instance, "rotate").output + call(instance, "status").output
    assert "MTExMTEx" not in shown
    assert "111111" not in shown
