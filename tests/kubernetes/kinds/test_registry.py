"""The kinds that a server knows, while custom ones come and go."""

import msgspec

from sampan.kubernetes.kinds.all import ALL
from sampan.kubernetes.kinds.core.configuration import CONFIG_MAP
from sampan.kubernetes.kinds.registry import Kinds
from sampan.kubernetes.kinds.resource import Resource

WIDGETS = Resource("example.com", "v1", "widgets", "Widget")
WIDGET = msgspec.structs.replace(CONFIG_MAP, resource=WIDGETS)


def test_kinds_come_and_go() -> None:
    kinds = Kinds(ALL)
    heard: list[int] = []
    kinds.on_change(lambda: heard.append(kinds.revision))
    assert kinds.find("example.com", "v1", "widgets") is None
    kinds.put("widgets.example.com", [WIDGET])
    assert kinds.find("example.com", "v1", "widgets") is WIDGET
    assert kinds.named("example.com", "v1", "Widget") is WIDGET
    assert kinds.of(WIDGETS) is WIDGET
    assert len(kinds.all) == len(kinds.built_in) + 1
    kinds.drop("widgets.example.com")
    kinds.drop("widgets.example.com")
    assert kinds.all == kinds.built_in
    assert heard == [1, 2]
