"""Which datastore the next start uses."""

from pathlib import Path

import pytest

from sampan.faces.cli import remembered_datastore
from sampan.foundation.settings import Instance

ETCD = {"SAMPAN_DATASTORE": "etcd://127.0.0.1:2379"}


@pytest.fixture
def instance(tmp_path, monkeypatch):
    monkeypatch.setattr(Instance, "state_folder", property(lambda _self: tmp_path / "state"))
    return Instance(name="one")


def test_nothing_is_remembered_at_first(instance):
    assert remembered_datastore.recall(instance) == {}
    assert remembered_datastore.named({}) == "sqlite"


def test_the_last_one_is_remembered_for_root_alone(instance):
    remembered_datastore.remember(instance, ETCD)
    assert remembered_datastore.recall(instance) == ETCD
    remembered_datastore.remember(instance, {"SAMPAN_DATASTORE": "sqlite"})
    assert remembered_datastore.recall(instance) == {"SAMPAN_DATASTORE": "sqlite"}
    (file,) = Path(instance.state_folder).iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("variables", "another"),
    [
        ({"SAMPAN_DATASTORE": "etcd://127.0.0.1"}, False),
        ({"SAMPAN_DATASTORE": "etcd://127.0.0.1:2380"}, True),
        ({"SAMPAN_DATASTORE": "sqlite"}, True),
    ],
)
def test_the_same_one_may_be_named_in_several_ways(instance, variables, another):
    remembered_datastore.remember(instance, ETCD)
    assert remembered_datastore.is_another(instance, variables) is another


def test_the_embedded_one_needs_no_memory(instance):
    assert not remembered_datastore.is_another(instance, {"SAMPAN_DATASTORE": "sqlite"})
