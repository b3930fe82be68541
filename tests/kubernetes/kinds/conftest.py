"""What the tests of kinds share: the causes of an object, as the API would find them."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from sampan.kubernetes.kinds.kind import Kind

Causes = Callable[..., dict[str, str]]


@pytest.fixture
def causes() -> Causes:
    """Messages by field, after defaults and the strategy, as for a write to `subresource`."""

    def find(
        kind: Kind, tree: dict[str, Any], old: dict[str, Any] | None = None, subresource: str = ""
    ) -> dict[str, str]:
        # Defaults are filled in place; tables of objects stay as they are.
        tree, old = msgspec.json.decode(msgspec.json.encode([tree, old]))
        scope = {"namespace": "default"} if kind.resource.namespaced else {}
        metadata = {"name": "a", **scope, **tree.get("metadata", {})}
        new = {"kind": kind.resource.kind, **tree, "metadata": metadata}
        kind.default(new)
        if old is not None:
            before = {"name": "a", **scope, **old.get("metadata", {})}
            old = {"kind": kind.resource.kind, **old, "metadata": before}
            kind.default(old)
        kind.strategy(subresource)(new, old)
        return {it.field: it.message for it in kind.causes(subresource, new, old)}

    return find
