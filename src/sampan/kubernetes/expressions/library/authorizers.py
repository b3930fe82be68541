"""Permission checks (k8s.io/apiserver `pkg/cel/library/authz.go`).

Who decides is a function that the caller binds: this library only puts the question together.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.functions import Library, Overload
from sampan.kubernetes.expressions.types import BOOL, STRING, abstract
from sampan.kubernetes.expressions.values import Abstract
from sampan.kubernetes.machinery import names

LIBRARY = Library()
AUTHORIZER = abstract("kubernetes.authorization.Authorizer")
PATH_CHECK = abstract("kubernetes.authorization.PathCheck")
GROUP_CHECK = abstract("kubernetes.authorization.GroupCheck")
RESOURCE_CHECK = abstract("kubernetes.authorization.ResourceCheck")
DECISION = abstract("kubernetes.authorization.Decision")
_CHECK_COST = 350_000


class Question(msgspec.Struct, frozen=True):
    """May this account (the request's own user without one) do that?"""

    verb: str = ""
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    account: tuple[str, str] | None = None
    field_selector: str = ""
    label_selector: str = ""


Decide = Callable[[Question], tuple[bool, str]]
"""Whether it is allowed, and why."""


class Authorizer(Abstract):
    """The start of every question."""

    __slots__ = ("decide", "question")
    type_name = AUTHORIZER.name

    def __init__(self, decide: Decide, question: Question = Question()) -> None:  # noqa: B008
        self.decide = decide
        self.question = question


class PathCheck(Authorizer):
    __slots__ = ()
    type_name = PATH_CHECK.name


class GroupCheck(Authorizer):
    __slots__ = ()
    type_name = GROUP_CHECK.name


class ResourceCheck(Authorizer):
    __slots__ = ()
    type_name = RESOURCE_CHECK.name


class Decision(Abstract):
    __slots__ = ("allowed", "reason")
    type_name = DECISION.name

    def __init__(self, allowed: bool, reason: str) -> None:
        self.allowed = allowed
        self.reason = reason


def _with(kind: type[Authorizer], before: Authorizer, **parts: Any) -> Authorizer:
    return kind(before.decide, msgspec.structs.replace(before.question, **parts))


def _path(before: Authorizer, path: str) -> Authorizer:
    if not path.strip():
        raise EvaluationFailed("path must not be empty")
    return _with(PathCheck, before, path=path)


def _resource(before: Authorizer, resource: str) -> Authorizer:
    if not resource.strip():
        raise EvaluationFailed("resource must not be empty")
    return _with(ResourceCheck, before, resource=resource)


def _account(before: Authorizer, namespace: str, name: str) -> Authorizer:
    if names.subdomain(name):
        raise EvaluationFailed(f"Invalid service account name {name[:80]!r}")
    if names.label(namespace):
        raise EvaluationFailed(f"Invalid service account namespace {namespace[:80]!r}")
    return _with(Authorizer, before, account=(namespace, name))


def _checked(before: Authorizer, verb: str) -> Decision:
    allowed, reason = before.decide(msgspec.structs.replace(before.question, verb=verb))
    return Decision(allowed, reason)


LIBRARY.method("path", Overload((AUTHORIZER, STRING), PATH_CHECK, _path))
LIBRARY.method(
    "group",
    Overload(
        (AUTHORIZER, STRING), GROUP_CHECK, lambda it, group: _with(GroupCheck, it, group=group)
    ),
)
LIBRARY.method("serviceAccount", Overload((AUTHORIZER, STRING, STRING), AUTHORIZER, _account))
LIBRARY.method("resource", Overload((GROUP_CHECK, STRING), RESOURCE_CHECK, _resource))
for _method, _part in (
    ("subresource", "subresource"),
    ("namespace", "namespace"),
    ("name", "name"),
    ("fieldSelector", "field_selector"),
    ("labelSelector", "label_selector"),
):
    LIBRARY.method(
        _method,
        Overload(
            (RESOURCE_CHECK, STRING),
            RESOURCE_CHECK,
            lambda it, value, part=_part: _with(ResourceCheck, it, **{part: value}),
        ),
    )
LIBRARY.method(
    "check",
    *(
        Overload(
            (kind, STRING),
            DECISION,
            _checked,
            cost=lambda *_: _CHECK_COST,
            estimate=lambda *_: _CHECK_COST,
        )
        for kind in (PATH_CHECK, RESOURCE_CHECK)
    ),
)
LIBRARY.method("allowed", Overload((DECISION,), BOOL, lambda it: it.allowed))
LIBRARY.method("reason", Overload((DECISION,), STRING, lambda it: it.reason))
# Decisions here are made in this process and can't come to an error.
LIBRARY.method("errored", Overload((DECISION,), BOOL, lambda _it: False))
LIBRARY.method("error", Overload((DECISION,), STRING, lambda _it: ""))
