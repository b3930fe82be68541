"""Which names of a definition are accepted, and the conditions that tell so. Pure.

The rules are those of k8s.io/apiextensions-apiserver `controller/status`: of two definitions in a
group that claim a name, the one that had it keeps it; a definition is established once all its
names are its own, and stays so.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sampan.control.api.custom_resources.definition import Claim, Definition
from sampan.kubernetes.kinds.apiextensions.definition_rules import APPROVAL, is_protected
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.machinery.timestamps import to_seconds

ESTABLISHED = "Established"
_ACCEPTED = "NamesAccepted"
_APPROVED = "KubernetesAPIApprovalPolicyConformant"


def taken_names(
    definition: Definition, others: Mapping[str, Claim], built_in: Iterable[Kind]
) -> tuple[frozenset[str], frozenset[str]]:
    """The resource names and the kinds of the group that others have: other definitions, and
    what the server has built in."""
    resources: set[str] = set()
    kinds: set[str] = set()
    for name, other in others.items():
        if other.spec.group != definition.spec.group or name == definition.name:
            continue
        names = other.status.accepted_names
        resources |= {names.plural, names.singular, *names.short_names}
        kinds |= {names.kind, names.list_kind}
    for kind in built_in:
        if kind.resource.group == definition.spec.group:
            resources |= {kind.resource.plural, kind.singular, *kind.short_names}
            kinds |= {kind.resource.kind, f"{kind.resource.kind}List"}
    return frozenset(resources - {""}), frozenset(kinds - {""})


def next_status(
    definition: Definition,
    status: Object,
    taken: tuple[frozenset[str], frozenset[str]],
    now: datetime,
) -> Object:
    """The status that follows from the names that others have; equal to `status` when nothing
    is new."""
    accepted, conflict = _accepted(definition, *taken)
    conditions = list(status.get("conditions") or ())
    if conflict is None:
        entry = _condition(_ACCEPTED, "True", "NoConflicts", "no conflicts found", now)
    else:
        reason, name = conflict
        entry = _condition(_ACCEPTED, "False", reason, f'"{name}" is already in use', now)
    conditions = _with(conditions, entry)
    if conflict is None and not definition.is_terminating:
        text = "the initial names have been accepted"
        entry = _condition(ESTABLISHED, "True", "InitialNamesAccepted", text, now)
        conditions = _with(conditions, entry)
    elif not definition.has(ESTABLISHED):
        text = "not all names are accepted"
        entry = _condition(ESTABLISHED, "False", "NotAccepted", text, now)
        conditions = _with(conditions, entry)
    if is_protected(definition.spec.group):
        conditions = _with(conditions, _approval(definition, now))
    return {**status, "acceptedNames": accepted, "conditions": conditions}


def _accepted(
    definition: Definition, resources: frozenset[str], kinds: frozenset[str]
) -> tuple[Object, tuple[str, str] | None]:
    """The names that are free or its own already, and a conflict: reason and name. Of several
    conflicts Kubernetes tells the last, kinds after resources."""
    wanted, before = definition.spec.names, definition.status.accepted_names
    conflicts: list[tuple[str, str]] = []
    shown: Object = {}
    for field, key, reason, given, kept, others in (
        ("plural", "plural", "PluralConflict", wanted.plural, before.plural, resources),
        ("singular", "singular", "SingularConflict", wanted.singular, before.singular, resources),
        ("kind", "kind", "KindConflict", wanted.kind, before.kind, kinds),
        ("list_kind", "listKind", "ListKindConflict", wanted.list_kind, before.list_kind, kinds),
    ):
        if given in others:
            conflicts.append((reason, given))
            given = kept  # noqa: PLW2901
        if given or field in ("plural", "kind"):
            shown[key] = given
    short = [it for it in wanted.short_names if it not in resources]
    if len(short) < len(wanted.short_names):
        taken = next(it for it in wanted.short_names if it in resources)
        place = sum(reason in ("PluralConflict", "SingularConflict") for reason, _ in conflicts)
        conflicts.insert(place, ("ShortNamesConflict", taken))
        short = list(before.short_names)
    if short:
        shown["shortNames"] = short
    if wanted.categories:
        shown["categories"] = list(wanted.categories)
    return shown, conflicts[-1] if conflicts else None


def _approval(definition: Definition, now: datetime) -> Object:
    value = definition.metadata.annotations.get(APPROVAL, "")
    if value.startswith("unapproved"):
        reason, text = "UnapprovedAnnotation", f'not approved: "{value}"'
        return _condition(_APPROVED, "False", reason, text, now)
    if not value:
        text = f'protected groups must have approval annotation "{APPROVAL}", see '
        text += "https://github.com/kubernetes/enhancements/pull/1111"
        return _condition(_APPROVED, "False", "MissingAnnotation", text, now)
    return _condition(_APPROVED, "True", "ApprovedAnnotation", f"approved in {value}", now)


def _condition(kind: str, value: str, reason: str, message: str, now: datetime) -> Object:
    return {
        "type": kind,
        "status": value,
        "lastTransitionTime": to_seconds(now),
        "reason": reason,
        "message": message,
    }


def _with(conditions: list[Object], entry: Object) -> list[Object]:
    """Put a condition in the place of the one of its type; times tell of changes of status."""
    for index, present in enumerate(conditions):
        if present.get("type") == entry["type"]:
            if present.get("status") == entry["status"]:
                entry = {**entry, "lastTransitionTime": present.get("lastTransitionTime")}
            return [*conditions[:index], entry, *conditions[index + 1 :]]
    return [*conditions, entry]
