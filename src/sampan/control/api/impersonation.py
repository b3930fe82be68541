"""Acting as somebody else (`kubectl --as`), for callers that may."""

from sampan.control.api.attributes import Attributes
from sampan.control.api.authentication import AUTHENTICATED, service_account_identity
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.call import Call, Handler
from sampan.control.api.refusal import Refused
from sampan.foundation.wire.message import Identity, Response
from sampan.kubernetes.machinery import status

_USER, _GROUP, _UID = "impersonate-user", "impersonate-group", "impersonate-uid"
_EXTRA = "impersonate-extra-"
_ACCOUNT = "system:serviceaccount:"


class Impersonation:
    """The stage. Raises Refused: 403 when the caller may not, 400 for what isn't served."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def __call__(self, call: Call, following: Handler) -> Response:
        headers = call.request.headers
        wanted = [name for name in headers if name.startswith("impersonate-")]
        if wanted:
            if _USER not in headers:
                raise Refused(status.bad_request("impersonation needs the header Impersonate-User"))
            if any(name == _UID or name.startswith(_EXTRA) for name in wanted):
                raise Refused(status.bad_request("only user and group can be impersonated"))
            groups = tuple(it.strip() for it in headers.get(_GROUP, "").split(",") if it.strip())
            call.identity = self._become(call.identity, headers[_USER], groups)
        return await following(call)

    def _become(self, caller: Identity, name: str, groups: tuple[str, ...]) -> Identity:
        account = _account_of(name)
        if account:
            self._require(caller, "serviceaccounts", account[1], account[0])
        else:
            self._require(caller, "users", name)
        for group in groups:
            self._require(caller, "groups", group)
        if account and not groups:
            return service_account_identity(*account)
        return Identity(name=name, groups=tuple(dict.fromkeys((*groups, AUTHENTICATED))))

    def _require(self, caller: Identity, resource: str, name: str, namespace: str = "") -> None:
        self._authorizer.require(
            caller,
            Attributes(
                verb="impersonate",
                path="",
                is_resource=True,
                version="v1",
                resource=resource,
                namespace=namespace,
                name=name,
            ),
        )


def _account_of(name: str) -> tuple[str, str] | None:
    if not name.startswith(_ACCOUNT):
        return None
    namespace, separator, account = name[len(_ACCOUNT) :].partition(":")
    return (namespace, account) if separator and namespace and account else None
