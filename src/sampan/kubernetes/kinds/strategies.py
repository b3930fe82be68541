"""What the writer of an object may not set: status, generation, and the rest at `/status`.

These run before validation and change the new object in place.
"""

from sampan.kubernetes.kinds.kind import Object

_STATUS_METADATA = ("labels", "annotations", "resourceVersion", "managedFields")


def keep_all(_new: Object, _old: Object | None) -> None:
    """For kinds without status and generation."""


def keep_status(new: Object, old: Object | None) -> None:
    """For kinds with a status but without generation: the main resource never writes it."""
    new.pop("status", None)
    if old is not None and "status" in old:
        new["status"] = old["status"]


def keep_status_count_generation(new: Object, old: Object | None) -> None:
    """For kinds whose generation counts the changes of `spec`."""
    keep_status(new, old)
    count_generation(new, old, "spec")


def count_generation(new: Object, old: Object | None, *fields: str) -> None:
    """Generation is 1 at first and grows by one when one of `fields` changes."""
    if old is None:
        new["metadata"]["generation"] = 1
        return
    generation = old["metadata"].get("generation", 0)
    changed = any(new.get(field) != old.get(field) for field in fields)
    new["metadata"]["generation"] = generation + 1 if changed else generation


def only_status(new: Object, old: Object | None) -> None:
    """A write to `/status`: everything else stays as it was."""
    if old is None:
        return
    status = new.get("status")
    version = new["metadata"].get("resourceVersion")
    replace_with_old(new, old, metadata={**old["metadata"], "resourceVersion": version})
    if status is not None:
        new["status"] = status
    else:
        new.pop("status", None)


def status_with_labels(new: Object, old: Object | None) -> None:
    """A write to `/status` that may bring labels and annotations along, as with most kinds."""
    if old is None:
        return
    given = new["metadata"]
    only_status(new, old)
    for key in _STATUS_METADATA:
        if key in given:
            new["metadata"][key] = given[key]
        else:
            new["metadata"].pop(key, None)


def replace_with_old(new: Object, old: Object, *, metadata: Object) -> None:
    """Make `new` what `old` is, but for its metadata."""
    new.clear()
    new.update(old)
    new["metadata"] = {key: value for key, value in metadata.items() if value is not None}
