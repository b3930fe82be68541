"""From the subject of a verified client certificate to a caller. Pure.

The common name is the user, each organization a group, and the attribute of KEP-5234 the uid.
"""

from sampan.control.api.authentication.identities import AUTHENTICATED, CREDENTIAL
from sampan.foundation.wire.message import Identity

UID_ATTRIBUTE = "1.3.6.1.4.1.57683.2"

Subject = tuple[tuple[str, str], ...]


def identity_of(subject: Subject, fingerprint: str = "") -> Identity | None:
    """None for a subject that names nobody, or gives several uids."""
    names = _values(subject, "commonName")
    uids = _values(subject, UID_ATTRIBUTE)
    if not names or not names[0] or len(uids) > 1:
        return None
    groups = (*_values(subject, "organizationName"), AUTHENTICATED)
    extra: dict[str, tuple[str, ...]] = {}
    if fingerprint:
        extra[CREDENTIAL] = (f"X509SHA256={fingerprint}",)
    return Identity(names[0], groups, uids[0] if uids else "", extra)


def _values(subject: Subject, attribute: str) -> tuple[str, ...]:
    return tuple(value for key, value in subject if key == attribute)
