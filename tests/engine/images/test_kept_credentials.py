"""Credentials are kept where docker keeps them, and found again there."""

import asyncio
import json
import os
import stat
from pathlib import Path

import pytest

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.credentials import Credentials
from sampan.engine.images.kept_credentials import forget_credentials, keep_credentials
from sampan.engine.images.known_credentials import find_credentials

SERVER = "registry.example:5000"
KNOWN = Credentials(user="me", password="se:cret", server=SERVER)
HELPER = """#!/bin/sh
case "$1" in
store) cat > "$KEPT" ;;
get) read server; [ -s "$KEPT" ] && cat "$KEPT" ;;
erase) cat > "$KEPT.erased"; rm "$KEPT" ;;
esac
"""


def test_in_the_file_itself_with_all_else_that_stands_there(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "config.json"
    assert asyncio.run(keep_credentials(file, KNOWN))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text(json.dumps(json.loads(file.read_text()) | {"detachKeys": "ctrl-e"}))
    other = Credentials(identity_token="token", user="you", server="other.example")
    assert asyncio.run(keep_credentials(file, other))
    assert json.loads(file.read_text())["detachKeys"] == "ctrl-e"
    assert asyncio.run(find_credentials(file, SERVER)) == KNOWN
    found = asyncio.run(find_credentials(file, "other.example"))
    assert found is not None
    assert found.identity_token == "token"
    assert asyncio.run(forget_credentials(file, SERVER))
    assert not asyncio.run(forget_credentials(file, SERVER))
    assert asyncio.run(find_credentials(file, SERVER)) is None
    assert [it.name for it in file.parent.iterdir()] == ["config.json"]


def test_by_the_program_that_the_file_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "docker-credential-box"
    program.write_text(HELPER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("KEPT", str(tmp_path / "kept"))
    file = tmp_path / "config.json"
    file.write_text('{"credsStore": "box"}')
    assert not asyncio.run(keep_credentials(file, KNOWN))
    assert "cret" not in file.read_text()
    assert json.loads((tmp_path / "kept").read_text()) == {
        "ServerURL": SERVER,
        "Username": "me",
        "Secret": "se:cret",
    }
    assert asyncio.run(find_credentials(file, SERVER)) == KNOWN
    assert asyncio.run(forget_credentials(file, SERVER))
    assert (tmp_path / "kept.erased").read_text() == SERVER
    assert asyncio.run(find_credentials(file, SERVER)) is None


def test_a_file_that_cannot_be_read_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text("{oops")
    with pytest.raises(InvalidConfiguration, match="can't be read"):
        asyncio.run(keep_credentials(file, KNOWN))
    assert file.read_text() == "{oops"


def test_a_symlink_stays_one(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.json").write_text("{}")
    file = tmp_path / "config.json"
    file.symlink_to("elsewhere.json")
    assert asyncio.run(keep_credentials(file, KNOWN))
    assert file.is_symlink()
    assert SERVER in (tmp_path / "elsewhere.json").read_text()
