"""The names of a list's items: DNS labels, each given, none twice."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import duplicate, invalid, required


def check_list_name(item: Object, path: str, taken: set[str]) -> Iterator[Cause]:
    """An item's `name`; `taken` holds the names of the items before it and grows."""
    name = item.get("name", "")
    if not name:
        yield required(f"{path}.name")
    else:
        for message in names.label(name):
            yield invalid(f"{path}.name", name, message)
    if name in taken:
        yield duplicate(f"{path}.name", name)
    taken.add(name)
