"""The user's kubeconfig before `up`, with the cluster, and after `down`."""

import json
from pathlib import Path

import pytest
import yaml

from sampan.faces.cli import kubeconfig_merge
from sampan.foundation.settings import Instance

ADDED = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "sampan", "cluster": {"server": "https://127.0.0.1:6443"}}],
    "users": [{"name": "sampan", "user": {"token": "t"}}],
    "contexts": [{"name": "sampan", "context": {"cluster": "sampan", "user": "sampan"}}],
    "current-context": "sampan",
}
USERS = {
    "apiVersion": "v1",
    "kind": "Config",
    "preferences": {},
    "clusters": [{"name": "work", "cluster": {"server": "https://work"}}],
    "users": [{"name": "me", "user": {}}],
    "contexts": [{"name": "work", "context": {"cluster": "work", "user": "me"}}],
    "current-context": "work",
}


def test_a_users_contexts_stay_and_ours_becomes_current() -> None:
    merged = kubeconfig_merge.with_context(USERS, ADDED)
    assert [entry["name"] for entry in merged["contexts"]] == ["work", "sampan"]
    assert merged["current-context"] == "sampan"
    assert kubeconfig_merge.with_context(merged, ADDED) == merged


def test_the_context_before_is_given_back() -> None:
    merged = kubeconfig_merge.with_context(USERS, ADDED)
    assert kubeconfig_merge.without_context(merged, "sampan", "work") == USERS


def test_a_context_that_is_gone_is_not_given_back() -> None:
    merged = kubeconfig_merge.with_context(USERS, ADDED)
    remaining = kubeconfig_merge.without_context(merged, "sampan", "deleted")
    assert remaining is not None
    assert remaining["current-context"] == ""


def test_a_choice_made_meanwhile_is_kept() -> None:
    merged = kubeconfig_merge.with_context(USERS, ADDED) | {"current-context": "work"}
    remaining = kubeconfig_merge.without_context(merged, "sampan", "other")
    assert remaining is not None
    assert remaining["current-context"] == "work"


class _Instance(Instance, frozen=True, kw_only=True):
    folder: str

    @property
    def configuration_folder(self) -> Path:
        return Path(self.folder)


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instance:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "user" / "config"))
    made = _Instance(folder=str(tmp_path))
    made.kubeconfig.write_text(json.dumps(ADDED))
    return made


def test_a_file_that_only_we_needed_is_made_and_removed(instance: Instance) -> None:
    path = kubeconfig_merge.merge(instance)
    assert yaml.safe_load(path.read_text())["current-context"] == "sampan"
    assert path.stat().st_mode & 0o777 == 0o600
    kubeconfig_merge.withdraw(instance)
    assert not path.exists()


def test_a_second_merge_remembers_what_the_first_displaced(
    instance: Instance, tmp_path: Path
) -> None:
    path = tmp_path / "user" / "config"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(USERS))
    kubeconfig_merge.merge(instance)
    kubeconfig_merge.merge(instance)
    kubeconfig_merge.withdraw(instance)
    assert yaml.safe_load(path.read_text()) == USERS


def test_withdrawing_twice_does_nothing(instance: Instance) -> None:
    kubeconfig_merge.withdraw(instance)
    kubeconfig_merge.withdraw(instance)


@pytest.mark.parametrize("content", [b"- a list", b"{", b"\xff\xfe", b"just words"])
def test_what_is_no_kubeconfig_is_left_as_it_is(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "config"
    path.write_bytes(content)
    monkeypatch.setenv("KUBECONFIG", str(path))
    with pytest.raises(OSError, match="is not a kubeconfig"):
        kubeconfig_merge.merge(instance)
    assert path.read_bytes() == content
