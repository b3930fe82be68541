"""From the resources that are to be encrypted to the keys of the store below which they lie."""

from sampan.foundation.encryption_configuration import EncryptedResources, InvalidEncryption
from sampan.store.envelope import EncryptionRule


def encryption_rules(
    configuration: tuple[EncryptedResources, ...],
) -> tuple[EncryptionRule, ...]:
    """The store's rules in the order of the configuration. Raises InvalidEncryption."""
    return tuple(
        EncryptionRule(_prefix(resource), tuple(key.secret for key in rule.keys), rule.write_plain)
        for rule in configuration
        for resource in rule.resources
    )


def _prefix(resource: str) -> bytes:
    """Where the objects of `PLURAL`, `PLURAL.GROUP`, `*.GROUP` or `*.*` lie."""
    plural, _, group = resource.partition(".")
    if resource == "*.*":
        return b"/"
    if not plural or "/" in resource or "*" in group:
        raise InvalidEncryption(f"{resource!r} names no resources")
    # As Kubernetes has it, `*.` are all of the core group.
    place = f"/{group or 'core'}/"
    return (place if plural == "*" else f"{place}{plural}/").encode()
