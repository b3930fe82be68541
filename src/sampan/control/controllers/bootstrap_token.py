"""The bootstrap tokens in kube-system as controllers see them. Pure."""

import base64
import binascii

from sampan.control.controllers.views import Secret

NAMESPACE = "kube-system"
NAME_PREFIX = "bootstrap-token-"


def value(secret: Secret, key: str) -> str:
    """One field of a token; empty when it is missing or no text."""
    try:
        return base64.b64decode((secret.data or {}).get(key, ""), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
