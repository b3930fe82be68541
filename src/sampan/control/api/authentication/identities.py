"""The names and groups that Kubernetes gives to callers, and what a proof of identity is. Pure."""

import msgspec

from sampan.foundation.wire.message import Identity

AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
ACCOUNT_PREFIX = "system:serviceaccount:"
ACCOUNTS_GROUP = "system:serviceaccounts"
_EXTRA = "authentication.kubernetes.io/"
CREDENTIAL = f"{_EXTRA}credential-id"
POD_NAME, POD_UID = f"{_EXTRA}pod-name", f"{_EXTRA}pod-uid"
NODE_NAME, NODE_UID = f"{_EXTRA}node-name", f"{_EXTRA}node-uid"


class Proof(msgspec.Struct, frozen=True):
    """Whom a token stands for, and for which of the asked audiences it is meant."""

    identity: Identity
    audiences: tuple[str, ...]


def service_account_identity(
    namespace: str, name: str, uid: str = "", extra: dict[str, tuple[str, ...]] | None = None
) -> Identity:
    """The user name and groups that Kubernetes gives a service account."""
    return Identity(
        name=f"{ACCOUNT_PREFIX}{namespace}:{name}",
        groups=(ACCOUNTS_GROUP, f"{ACCOUNTS_GROUP}:{namespace}", AUTHENTICATED),
        uid=uid,
        extra=extra or {},
    )


def account_of(user: str) -> tuple[str, str] | None:
    """Namespace and name of the service account with this user name; None for other users."""
    if not user.startswith(ACCOUNT_PREFIX):
        return None
    namespace, separator, name = user[len(ACCOUNT_PREFIX) :].partition(":")
    return (namespace, name) if separator and namespace and name else None


def user_information(identity: Identity) -> dict[str, object]:
    """An identity as `UserInfo` of authentication.k8s.io shows it."""
    shown: dict[str, object] = {"username": identity.name, "groups": list(identity.groups)}
    if identity.uid:
        shown["uid"] = identity.uid
    if identity.extra:
        shown["extra"] = {key: list(values) for key, values in identity.extra.items()}
    return shown
