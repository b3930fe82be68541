"""The variables that expressions of admission see, and their types.

`object`, `oldObject`, `request` and `authorizer` are for all; `namespaceObject`, `params` and
`variables` for policies alone.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from sampan.control.api.admission.matching.request_form import request_form
from sampan.control.api.admission.write import Write
from sampan.control.api.attributes import Attributes
from sampan.control.api.authorization.authorizer import Authorizer as Permissions
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.foundation.wire.message import Identity
from sampan.kubernetes.expressions.library.authorizers import (
    AUTHORIZER,
    RESOURCE_CHECK,
    Authorizer,
    Question,
    ResourceCheck,
)
from sampan.kubernetes.expressions.types import (
    BOOL,
    DYN,
    STRING,
    Type,
    list_of,
    map_of,
    object_of,
)
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.kinds.resource import NAMESPACES


def _fields(**kinds: Type) -> Type:
    return object_of({name: (name, kind) for name, kind in kinds.items()})


_KIND = _fields(group=STRING, version=STRING, kind=STRING)
_RESOURCE = _fields(group=STRING, version=STRING, resource=STRING)
REQUEST = _fields(
    kind=_KIND,
    resource=_RESOURCE,
    subResource=STRING,
    requestKind=_KIND,
    requestResource=_RESOURCE,
    requestSubResource=STRING,
    name=STRING,
    namespace=STRING,
    operation=STRING,
    userInfo=_fields(
        username=STRING, uid=STRING, groups=list_of(STRING), extra=map_of(STRING, list_of(STRING))
    ),
    dryRun=BOOL,
    options=DYN,
)
CONDITION_VARIABLES: Mapping[str, Type] = {
    "object": DYN,
    "oldObject": DYN,
    "request": REQUEST,
    "authorizer": AUTHORIZER,
    "authorizer.requestResource": RESOURCE_CHECK,
}
POLICY_VARIABLES: Mapping[str, Type] = {**CONDITION_VARIABLES, "namespaceObject": DYN}


def bindings_of(
    write: Write,
    target: Kind,
    objects: tuple[Any, Any],
    permissions: Permissions,
) -> dict[str, Any]:
    """`objects` are the new and the old one, in the target's version."""
    form = request_form(write, target, "")
    del form["uid"]
    authorizer = _authorizer(write.identity, permissions)
    resource = target.resource
    own = Question(
        group=resource.group,
        resource=resource.plural,
        subresource=write.subresource,
        namespace=write.namespace,
        name=write.object_name,
    )
    return {
        "object": objects[0],
        "oldObject": objects[1],
        "request": form,
        "authorizer": authorizer,
        "authorizer.requestResource": ResourceCheck(authorizer.decide, own),
    }


def namespace_object(write: Write, cache: WatchCache) -> Any:
    """The namespace of the object as it is now; null for what has none, and for namespaces."""
    if write.kind.resource == NAMESPACES or not write.namespace:
        return None
    stored = cache.of(NAMESPACES).get(f"/{write.namespace}")
    return None if stored is None else stored.decoded()


def _authorizer(identity: Identity, permissions: Permissions) -> Authorizer:
    """Asks the server's own authorizer, always in the loop: its indexes know no threads."""
    loop = asyncio.get_running_loop()

    def answer(question: Question) -> tuple[bool, str]:
        asked = _account(question.account) if question.account else identity
        decision = permissions.decision(asked, _attributes(question))
        return decision.allowed, decision.reason

    def decide(question: Question) -> tuple[bool, str]:
        if _runs_here(loop):
            return answer(question)
        found: Future[tuple[bool, str]] = Future()
        loop.call_soon_threadsafe(lambda: found.set_result(answer(question)))
        return found.result()

    return Authorizer(decide)


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _account(account: tuple[str, str]) -> Identity:
    namespace, name = account
    groups = (
        "system:serviceaccounts",
        f"system:serviceaccounts:{namespace}",
        "system:authenticated",
    )
    return Identity(f"system:serviceaccount:{namespace}:{name}", groups)


def _attributes(question: Question) -> Attributes:
    if question.path:
        return Attributes(verb=question.verb, path=question.path)
    return Attributes(
        verb=question.verb,
        path="",
        is_resource=True,
        group=question.group,
        version="*",
        resource=question.resource,
        subresource=question.subresource,
        namespace=question.namespace,
        name=question.name,
    )
