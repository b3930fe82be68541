"""The kubeconfig of an administrator: one cluster, one user, one context of the same name.

Pure: takes bytes, gives text. JSON is YAML, so the text is read by every client, and no
YAML library needs to be imported to write it.
"""

import base64
from typing import Any

import msgspec

from sampan.foundation.pki.authority import KeyPair


def kubeconfig(
    *, server: str, context: str, authority: bytes, administrator: KeyPair
) -> dict[str, Any]:
    """The document of a kubeconfig whose current context is `context`."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": context,
                "cluster": {"server": server, "certificate-authority-data": _text(authority)},
            }
        ],
        "users": [
            {
                "name": context,
                "user": {
                    "client-certificate-data": _text(administrator.certificate),
                    "client-key-data": _text(administrator.key),
                },
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    }


def render(document: dict[str, Any]) -> bytes:
    """A kubeconfig's text."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
