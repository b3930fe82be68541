"""Objects as tables, and as their metadata alone: what kubectl asks for with `as=`.

The forms are meta.k8s.io/v1 Table, PartialObjectMetadata and PartialObjectMetadataList.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from sampan.kubernetes.kinds.kind import Kind, Object

IncludeObject = Literal["None", "Metadata", "Object"]
_GROUP_VERSION = "meta.k8s.io/v1"


def column_definitions(kind: Kind) -> list[Object]:
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        }
        for column in kind.columns
    ]


def row(kind: Kind, obj: Object, now: datetime, include: IncludeObject = "Metadata") -> Object:
    """One object's cells, and as much of the object as was asked for."""
    cells = [column.cell(obj, now) for column in kind.columns]
    if include == "None":
        return {"cells": cells}
    return {"cells": cells, "object": obj if include == "Object" else partial(obj)}


def table(
    kind: Kind,
    rows: Iterable[Object],
    *,
    metadata: Object,
    with_columns: bool = True,
) -> Object:
    """A Table; `metadata` is that of the list (or of the one object). A watch sends the columns
    with its first event only."""
    return {
        "kind": "Table",
        "apiVersion": _GROUP_VERSION,
        "metadata": metadata,
        "columnDefinitions": column_definitions(kind) if with_columns else [],
        "rows": list(rows),
    }


def partial(obj: Object) -> Object:
    """An object's metadata alone."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": _GROUP_VERSION,
        "metadata": obj["metadata"],
    }


def partial_list(objects: Iterable[Object], metadata: Object) -> Object:
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": _GROUP_VERSION,
        "metadata": metadata,
        "items": [partial(obj) for obj in objects],
    }
