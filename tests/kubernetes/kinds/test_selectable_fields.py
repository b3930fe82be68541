"""The fields that selectors ask about, and the sparse reading of them."""

from typing import Any

import msgspec
import pytest

from sampan.kubernetes.kinds.selectable_fields import SelectableFields

FIELDS = SelectableFields(
    ("metadata.name", "spec.nodeName", "spec.hostNetwork", "status.replicas"),
    {"source": "source.component"},
)


def _labels(tree: dict[str, Any]) -> Any:
    return (tree.get("metadata") or {}).get("labels")


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"metadata": None, "spec": None},
        {"metadata": {"name": "a", "labels": {"b": "c"}, "uid": "u"}, "spec": {"nodeName": "n"}},
        {"spec": {"hostNetwork": True, "containers": [{"name": "c"}]}, "status": {"replicas": 3}},
        {"source": {"component": "kubelet", "host": "h"}},
    ],
)
def test_a_sparse_reading_holds_all_that_selectors_ask(tree: dict[str, Any]) -> None:
    part = FIELDS.decode(msgspec.json.encode(tree))
    assert FIELDS.of(part) == FIELDS.of(tree)
    assert _labels(part) == _labels(tree)


def test_values_become_text() -> None:
    tree = {"spec": {"nodeName": "n"}, "status": {"replicas": 3}, "source": {"component": "k"}}
    assert FIELDS.of(tree) == {
        "metadata.name": "",
        "spec.nodeName": "n",
        "spec.hostNetwork": "false",
        "status.replicas": "3",
        "source": "k",
    }


def test_a_sparse_reading_passes_over_the_rest() -> None:
    assert FIELDS.decode(b'{"kind":"X","spec":{"nodeName":"n","volumes":[]}}') == {
        "spec": {"nodeName": "n"}
    }
