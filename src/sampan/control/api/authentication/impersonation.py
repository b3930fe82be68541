"""Acting as somebody else (`kubectl --as`), for callers that may.

Two ways lead there. Constrained impersonation (KEP-5284) needs one permission for the identity
and one for the very action; where it does not apply, the old verb `impersonate` on each part of
the identity allows everything that the other may do.
"""

from collections.abc import Iterator
from urllib.parse import unquote

import msgspec

from sampan.control.api.attributes import Attributes
from sampan.control.api.authentication import identities
from sampan.control.api.authentication.identities import (
    AUTHENTICATED,
    UNAUTHENTICATED,
    account_of,
    service_account_identity,
)
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.call import ANONYMOUS, Call, Handler
from sampan.control.api.refusal import Refused
from sampan.foundation.pki.subjects import NODE_PREFIX, NODES_GROUP
from sampan.foundation.wire.message import Identity, Response
from sampan.kubernetes.machinery import status

_USER, _GROUP, _UID = "impersonate-user", "impersonate-group", "impersonate-uid"
_EXTRA = "impersonate-extra-"
_ANY = "impersonate-"
_GROUP_OF_PARTS = "authentication.k8s.io"
_FULL = "impersonate"


class Impersonation:
    """The stage. Raises Refused: 403 when the caller may not, 400 for half an identity."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def __call__(self, call: Call, following: Handler) -> Response:
        headers = call.request.headers
        names = [name for name in headers if name.startswith(_ANY)]
        if names:
            if not headers.get(_USER):
                message = "requested impersonation of groups, uid or extra without a user"
                raise Refused(status.bad_request(message))
            call.identity = self._become(call, wanted_identity(headers))
            for name in names:
                del headers[name]
        return await following(call)

    def _become(self, call: Call, wanted: Identity) -> Identity:
        caller = call.identity
        for mode in _modes(caller, wanted):
            if self._is_allowed_here(call, mode) and self._are_allowed(
                caller, _parts(wanted, f"{_FULL}:{mode}", constrained=True)
            ):
                return with_usual_groups(_as_node(wanted))
        for part in _parts(wanted, _FULL, constrained=False):
            self._authorizer.require(caller, part)
        return with_usual_groups(wanted)

    def _is_allowed_here(self, call: Call, mode: str) -> bool:
        verb = f"impersonate-on:{mode}:{call.attributes.verb}"
        here = msgspec.structs.replace(call.attributes, verb=verb)
        return self._authorizer.allows(call.identity, here)

    def _are_allowed(self, caller: Identity, parts: Iterator[Attributes]) -> bool:
        return all(self._authorizer.allows(caller, part) for part in parts)


def wanted_identity(headers: dict[str, str]) -> Identity:
    """Whom the headers name, without the groups that everyone has. Repeated headers arrive
    joined by a comma and a space."""
    extra: dict[str, tuple[str, ...]] = {}
    for name, value in headers.items():
        if name.startswith(_EXTRA):
            extra[unquote(name[len(_EXTRA) :]).lower()] = _listed(value)
    return Identity(
        name=headers[_USER],
        groups=_listed(headers.get(_GROUP, "")),
        uid=headers.get(_UID, ""),
        extra=extra,
    )


def with_usual_groups(wanted: Identity) -> Identity:
    """The identity with the groups that Kubernetes adds to those of the request."""
    groups = wanted.groups
    account = account_of(wanted.name)
    if account is not None and not groups:
        return service_account_identity(*account, wanted.uid, wanted.extra)
    if AUTHENTICATED not in groups and UNAUTHENTICATED not in groups:
        usual = UNAUTHENTICATED if wanted.name == ANONYMOUS.name else AUTHENTICATED
        groups = (*groups, usual)
    return Identity(wanted.name, tuple(dict.fromkeys(groups)), wanted.uid, wanted.extra)


def _as_node(wanted: Identity) -> Identity:
    """A node that is named by the constrained way is a node; the old way gives no group."""
    if wanted.name.startswith(NODE_PREFIX):
        return Identity(wanted.name, (NODES_GROUP,))
    return wanted


def _listed(value: str) -> tuple[str, ...]:
    return tuple(part for it in value.split(", ") if (part := it.strip()))


def _modes(caller: Identity, wanted: Identity) -> tuple[str, ...]:
    """The kinds of constrained impersonation that can lead to the wanted identity. Accounts and
    nodes come with the groups that are theirs, and with nothing else."""
    bare = not (wanted.groups or wanted.uid or wanted.extra)
    if wanted.name.startswith(identities.ACCOUNT_PREFIX):
        return ("serviceaccount",) if bare and account_of(wanted.name) else ()
    if not wanted.name.startswith(NODE_PREFIX):
        return ("user-info",)
    if not bare:
        return ()
    own = caller.extra.get(identities.NODE_NAME, ())
    is_own = account_of(caller.name) is not None and own == (wanted.name[len(NODE_PREFIX) :],)
    return ("associated-node", "arbitrary-node") if is_own else ("arbitrary-node",)


def _parts(wanted: Identity, verb: str, *, constrained: bool) -> Iterator[Attributes]:
    """What a caller must be allowed to name, one permission for each part of the identity."""
    core = _GROUP_OF_PARTS if constrained else ""
    account = account_of(wanted.name)
    if account is not None:
        yield _part(verb, core, "serviceaccounts", account[1], namespace=account[0])
    elif constrained and wanted.name.startswith(NODE_PREFIX):
        yield _part(verb, core, "nodes", wanted.name[len(NODE_PREFIX) :])
    else:
        yield _part(verb, core, "users", wanted.name)
    for group in wanted.groups:
        yield _part(verb, core, "groups", group)
    if wanted.uid:
        yield _part(verb, _GROUP_OF_PARTS, "uids", wanted.uid)
    for key, values in wanted.extra.items():
        for value in values:
            yield _part(verb, _GROUP_OF_PARTS, "userextras", value, subresource=key)


def _part(
    verb: str, group: str, resource: str, name: str, *, namespace: str = "", subresource: str = ""
) -> Attributes:
    return Attributes(
        verb=verb,
        path="",
        is_resource=True,
        group=group,
        version="v1",
        resource=resource,
        subresource=subresource,
        namespace=namespace,
        name=name,
    )
