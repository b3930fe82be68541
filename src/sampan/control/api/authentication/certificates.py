"""From the subject of a verified client certificate to a caller. Pure.

The common name is the user, each organization a group, and the attribute of KEP-5234 the uid.
"""

from sampan.control.api.authentication.identities import AUTHENTICATED
from sampan.foundation.wire.message import Identity

UID_ATTRIBUTE = "1.3.6.1.4.1.57683.2"

Subject = tuple[tuple[str, str], ...]


def identity_of(subject: Subject) -> Identity | None:
    """None for a subject that names nobody, or gives several uids."""
    names = _values(subject, "commonName")
    uids = _values(subject, UID_ATTRIBUTE)
    if not names or not names[0] or len(uids) > 1:
        return None
    groups = (*_values(subject, "organizationName"), AUTHENTICATED)
    return Identity(name=names[0], groups=groups, uid=uids[0] if uids else "")


def _values(subject: Subject, attribute: str) -> tuple[str, ...]:
    return tuple(value for key, value in subject if key == attribute)
