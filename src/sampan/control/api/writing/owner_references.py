"""Owners that an object names twice are kept once, and the client is told."""

from sampan.kubernetes.kinds.kind import Object

_TWICE = (
    ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in "
    "1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate "
    "UID(s) observed: "
)


def keep_once(tree: Object, warnings: list[str]) -> None:
    """Drop equal references but for the first, and warn of them."""
    owners = tree["metadata"].get("ownerReferences")
    if not owners or len(owners) < 2:
        return
    kept: list[Object] = []
    twice: list[str] = []
    seen: set[tuple[tuple[str, str], ...]] = set()
    for owner in owners:
        key = tuple(sorted((name, str(value)) for name, value in owner.items()))
        if key not in seen:
            seen.add(key)
            kept.append(owner)
        elif str(owner.get("uid", "")) not in twice:
            twice.append(str(owner.get("uid", "")))
    if twice:
        tree["metadata"]["ownerReferences"] = kept
        warning = _TWICE + ", ".join(twice)
        if warning not in warnings:
            warnings.append(warning)
