"""Objects of very many mistakes: they cost no more than a look at each part, and are answered
with some of the mistakes."""

from typing import Any

import pytest

from sampan.kubernetes.kinds.all import ALL
from sampan.kubernetes.kinds.record import MOST_CAUSES

LONG = 100_000
MANY: list[tuple[str, dict[str, Any]]] = [
    ("Pod", {"spec": {"containers": [{}] * LONG}}),
    ("Pod", {"spec": {"containers": [{"name": "c", "env": [{"name": "="}] * LONG}]}}),
    ("Pod", {"spec": {"tolerations": [{"key": f"k{n}"} for n in range(LONG)]}}),
    ("Service", {"spec": {"ipFamilies": [f"f{n}" for n in range(LONG)]}}),
    ("Service", {"spec": {"clusterIPs": ["None"] * LONG, "clusterIP": "None"}}),
    ("ResourceQuota", {"spec": {"scopes": [f"s{n}" for n in range(LONG)]}}),
    ("RuntimeClass", {"scheduling": {"tolerations": [{"key": f"k{n}"} for n in range(LONG)]}}),
    ("Endpoints", {"subsets": [{}] * LONG}),
    ("ValidatingWebhookConfiguration", {"webhooks": [{"admissionReviewVersions": ["a"] * LONG}]}),
]


@pytest.mark.parametrize(("name", "tree"), MANY)
def test_an_object_of_many_mistakes_is_told_of_some(name: str, tree: dict[str, Any]) -> None:
    kind = next(kind for kind in ALL if kind.resource.kind == name)
    new = {"kind": name, "metadata": {"name": "a", "namespace": "b"}, **tree}
    kind.default(new)
    kind.strategy("")(new, None)
    causes = kind.causes("", new, None)
    assert 1 <= len(causes) <= MOST_CAUSES
    assert all(len(cause.message) < 5000 for cause in causes)
