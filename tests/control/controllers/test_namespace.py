"""A namespace is emptied, tells what keeps it, and is let go."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from sampan.control.controllers.namespace import Snapshot, plan
from sampan.control.controllers.plan import Delete, Head, HeadMetadata, List, Patch, Plan, Update
from sampan.control.controllers.views import Condition, Namespace, NamespaceSpec, NamespaceStatus
from sampan.kubernetes.kinds.resource import CONFIG_MAPS, PODS, SECRETS
from sampan.kubernetes.machinery.metadata import Metadata

NOW = datetime(2026, 1, 1, tzinfo=UTC)
THEN = "2025-12-31T00:00:00Z"
RESOURCES = (CONFIG_MAPS, PODS)
METADATA = Metadata("team", uid="uid", resource_version="7", deletion_timestamp=THEN)
Content = dict[Any, tuple[Head, ...]]


def head(name: str, *finalizers: str, ends: bool = False) -> Head:
    gone = THEN if ends else None
    return Head(HeadMetadata(name, "team", f"uid-{name}", "7", (), finalizers, gone))


def namespace(
    *conditions: dict[str, Any], finalizers: tuple[str, ...] = ("kubernetes",)
) -> Namespace:
    held = msgspec.convert(conditions, tuple[Condition, ...])
    return Namespace(METADATA, NamespaceSpec(finalizers), NamespaceStatus("Terminating", held))


def planned(given: Namespace, content: Content | None, failure: str = "") -> Plan:
    answers = {List(it, "team"): (content or {}).get(it, ()) for it in RESOURCES}
    return plan(Snapshot(given, RESOURCES, {} if content is None else answers, failure), NOW)


def told(made: Plan) -> dict[str, Any]:
    """Each condition that is written, by its type."""
    patches = [it for it in made.actions if isinstance(it, Patch)]
    return {each["type"]: each for patch in patches for each in patch.body["status"]["conditions"]}


def states(made: Plan) -> dict[str, str]:
    return {kind: each["status"] for kind, each in told(made).items()}


def test_what_is_there_is_deleted_without_a_word() -> None:
    made = planned(namespace(), {CONFIG_MAPS: (head("a"), head("b", ends=True))})
    (action,) = made.actions
    assert isinstance(action, Delete)
    assert action.name == "a"


def test_what_stays_is_told_once() -> None:
    kept = {CONFIG_MAPS: (head("a", "x/y", ends=True), head("b", "x/y", "z/z", ends=True))}
    made = planned(namespace(), kept)
    assert states(made) == {
        "NamespaceDeletionDiscoveryFailure": "False",
        "NamespaceDeletionGroupVersionParsingFailure": "False",
        "NamespaceDeletionContentFailure": "False",
        "NamespaceContentRemaining": "True",
        "NamespaceFinalizersRemaining": "True",
    }
    messages = {kind: each["message"] for kind, each in told(made).items()}
    assert messages["NamespaceContentRemaining"] == (
        "Some resources are remaining: configmaps. has 2 resource instances"
    )
    assert messages["NamespaceFinalizersRemaining"] == (
        "Some content in the namespace has finalizers remaining: x/y in 2 resource instances, "
        "z/z in 1 resource instances"
    )
    assert planned(namespace(*told(made).values()), kept).actions == ()


def test_what_cannot_be_deleted_is_told_and_tried_again() -> None:
    made = planned(namespace(), {PODS: (head("p"),)}, "no")
    failure = told(made)["NamespaceDeletionContentFailure"]
    assert (failure["status"], failure["reason"]) == ("True", "ContentDeletionFailed")
    assert failure["message"] == "Failed to delete all resource types, 1 remaining: no"
    assert isinstance(made.actions[-1], Delete)


def test_what_cannot_be_seen_is_told_once_and_looked_for_again() -> None:
    made = planned(namespace(), None, "the hook is away")
    assert states(made) == {"NamespaceDeletionContentFailure": "True"}
    again = planned(namespace(*told(made).values()), None, "the hook is away")
    assert again.actions == ()
    assert len(again.reads) == len(RESOURCES)


def test_an_empty_namespace_is_let_go() -> None:
    (action,) = planned(namespace(), {}).actions
    assert isinstance(action, Update)
    assert action.body["spec"] == {"finalizers": []}


def test_one_that_others_keep_tells_that_it_is_empty() -> None:
    remaining = {"type": "NamespaceContentRemaining", "status": "True"}
    made = planned(namespace(remaining, finalizers=("kubernetes", "x/y")), {})
    assert isinstance(made.actions[0], Update)
    assert made.actions[0].body["spec"] == {"finalizers": ["x/y"]}
    assert set(states(made).values()) == {"False"}


def test_one_that_does_not_end_is_left_alone() -> None:
    living = Namespace(Metadata("team"), NamespaceSpec(("kubernetes",)))
    assert planned(living, {SECRETS: (head("s"),)}) == Plan()
