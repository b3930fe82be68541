"""Credentials out of docker's config.json, and out of the helpers that it names."""

import asyncio
import base64
import json
from pathlib import Path

import pytest

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.credentials import Credentials
from sampan.engine.images.known_credentials import find_credentials

HELPER = """#!/bin/sh
[ "$1" = get ] || exit 2
read -r server || [ -n "$server" ]
case "$server" in
  known.example) echo '{"ServerURL":"x","Username":"helped","Secret":"it is"}' ;;
  token.example) echo '{"ServerURL":"x","Username":"<token>","Secret":"refresh"}' ;;
  *) echo 'credentials not found in native keychain'; exit 1 ;;
esac
"""


def found(folder: Path, registry: str, content: object) -> Credentials | None:
    file = folder / "config.json"
    file.write_text(json.dumps(content))
    return asyncio.run(find_credentials(file, registry))


def test_entries_of_the_file(tmp_path: Path) -> None:
    auth = base64.b64encode(b"me:pass:word").decode()
    auths = {
        "auths": {
            "https://any.docker.io/v1/": {"auth": auth},
            "host:5000": {"auth": auth, "identitytoken": "token"},
        }
    }
    first = found(tmp_path, "docker.io", auths)
    assert first is not None
    assert (first.user, first.password) == ("me", "pass:word")
    second = found(tmp_path, "host:5000", auths)
    assert second is not None
    assert second.identity_token == "token"
    assert found(tmp_path, "other.example", auths) is None
    assert asyncio.run(find_credentials(tmp_path / "none", "x")) is None


def test_helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "docker-credential-tests"
    program.write_text(HELPER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for setting in ({"credsStore": "tests"}, {"credHelpers": {"known.example": "tests"}}):
        known = found(tmp_path, "known.example", setting | {"auths": {"known.example": {}}})
        assert known == Credentials(user="helped", password="it is", server="known.example")
    token = found(tmp_path, "token.example", {"credsStore": "tests"})
    assert token is not None
    assert token.identity_token == "refresh"
    assert found(tmp_path, "other.example", {"credsStore": "tests"}) is None


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="base64"):
        found(tmp_path, "a", {"auths": {"a": {"auth": "%"}}})
    with pytest.raises(InvalidConfiguration, match="not the name"):
        found(tmp_path, "a", {"credsStore": "../../bin/sh"})
    with pytest.raises(InvalidConfiguration, match="can't be read"):
        found(tmp_path, "a", [])
