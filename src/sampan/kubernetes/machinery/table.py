"""Objects as tables, and as their metadata alone: what kubectl asks for with `as=`.

The forms are meta.k8s.io/v1 Table, PartialObjectMetadata and PartialObjectMetadataList, or the same
of v1beta1 for clients that know no later `version`.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from sampan.kubernetes.kinds.kind import Kind, Object

IncludeObject = Literal["None", "Metadata", "Object"]
META_VERSION = "meta.k8s.io/v1"


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


def row(
    kind: Kind,
    obj: Object,
    now: datetime,
    include: IncludeObject = "Metadata",
    version: str = META_VERSION,
) -> Object:
    """One object's cells, and as much of the object as was asked for."""
    cells = [column.cell(obj, now) for column in kind.columns]
    if include == "None":
        return {"cells": cells}
    return {"cells": cells, "object": obj if include == "Object" else partial(obj, version)}


def table(
    kind: Kind,
    rows: Iterable[Object],
    *,
    metadata: Object,
    with_columns: bool = True,
    version: str = META_VERSION,
) -> Object:
    """A Table; `metadata` is that of the list (or of the one object). A watch sends the columns
    with its first event only."""
    return {
        "kind": "Table",
        "apiVersion": version,
        "metadata": metadata,
        "columnDefinitions": column_definitions(kind) if with_columns else [],
        "rows": list(rows),
    }


def partial(obj: Object, version: str = META_VERSION) -> Object:
    """An object's metadata alone."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": version,
        "metadata": obj["metadata"],
    }


def partial_list(
    objects: Iterable[Object], metadata: Object, version: str = META_VERSION
) -> Object:
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": version,
        "metadata": metadata,
        "items": [partial(obj, version) for obj in objects],
    }
