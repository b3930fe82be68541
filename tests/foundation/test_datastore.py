"""How a datastore is named."""

from pathlib import Path

import pytest

from sampan.foundation.datastore import Datastore, InvalidDatastore, datastore_of


def named(text: str, **files: str) -> Datastore:
    variables = {f"SAMPAN_DATASTORE_{name.upper()}": path for name, path in files.items()}
    return datastore_of({"SAMPAN_DATASTORE": text, **variables}, "sampan-test")


@pytest.mark.parametrize("text", ["", "sqlite"])
def test_the_embedded_file_is_the_default(text: str) -> None:
    assert named(text).is_embedded
    assert datastore_of({}, "sampan").is_embedded


def test_a_cluster_has_members_and_a_place_for_the_instance() -> None:
    found = named("etcd://10.0.0.1:2379,db.example.org,[::1]:99")
    assert found.endpoints == ("10.0.0.1:2379", "db.example.org:2379", "[::1]:99")
    assert found.prefix == "/sampan-test"
    assert not found.is_embedded


@pytest.mark.parametrize(("given", "prefix"), [("/a/b/", "/a/b"), ("a", "/a"), ("", ""), ("/", "")])
def test_the_place_may_be_chosen(given: str, prefix: str) -> None:
    assert named(f"etcd://one:1?prefix={given}").prefix == prefix


def test_files_make_the_connections_secure() -> None:
    found = named("etcd://one:1", ca="/pki/ca.crt", cert="/pki/me.crt", key="/pki/me.key")
    assert found.authority == Path("/pki/ca.crt")
    assert (found.certificate, found.key) == (Path("/pki/me.crt"), Path("/pki/me.key"))


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("mysql://one", {}),
        ("etcd://", {}),
        ("etcd://one,,two", {}),
        ("etcd://one:many", {}),
        ("etcd://user@one", {}),
        ("etcd://one/path", {}),
        ("etcd://one?prefx=/a", {}),
        ("etcd://one", {"cert": "/a"}),
        ("etcd://one", {"cert": "/a", "key": "/b"}),
    ],
)
def test_what_can_not_be_understood_is_refused(text: str, files: dict[str, str]) -> None:
    with pytest.raises(InvalidDatastore):
        named(text, **files)
