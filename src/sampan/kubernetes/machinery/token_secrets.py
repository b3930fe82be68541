"""The Secrets that hold tokens: of nodes that join, and of service accounts. Names alone, and how
a field of one is read; who may use them is decided elsewhere.
"""

import base64
import binascii
from collections.abc import Mapping

BOOTSTRAP_TYPE = "bootstrap.kubernetes.io/token"
BOOTSTRAP_NAMESPACE = "kube-system"
BOOTSTRAP_PREFIX = "bootstrap-token-"

ACCOUNT_TYPE = "kubernetes.io/service-account-token"
ACCOUNT_NAME = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"
INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"

KEPT_ISSUER = "kubernetes/serviceaccount"
KEPT_CLAIM = "kubernetes.io/serviceaccount/"
"""What stands before the names of the claims of a token that a Secret keeps."""


def plain(data: Mapping[str, str] | None, key: str) -> str:
    """One field of a Secret's data as text; empty when it is missing or no text."""
    try:
        return base64.b64decode((data or {}).get(key, ""), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
