"""A stable name for a pod template: two templates that say the same have the same hash. Pure."""

import hashlib
from functools import lru_cache
from typing import Any

import msgspec

from sampan.kubernetes.machinery.generated_names import SIGNS

HASH_LABEL = "pod-template-hash"
_LENGTH = 10


def template_hash(template: msgspec.Raw, collisions: int = 0) -> str:
    """Ten characters that may stand in a name, from what the template says but for its own hash
    label. No vowels, so that no words come about. `collisions` gives another name."""
    return _hash(bytes(template), collisions)


@lru_cache(maxsize=1024)
def _hash(encoded: bytes, collisions: int) -> str:
    template: dict[str, Any] = msgspec.json.decode(encoded)
    metadata = template.get("metadata") or {}
    labels = {
        key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH_LABEL
    }
    meaning = {
        "labels": labels,
        "annotations": metadata.get("annotations") or {},
        "spec": template.get("spec") or {},
        "collisions": collisions,
    }
    digest = hashlib.sha256(msgspec.json.encode(meaning, order="sorted")).digest()
    number = int.from_bytes(digest, "big")
    letters = []
    for _ in range(_LENGTH):
        number, index = divmod(number, len(SIGNS))
        letters.append(SIGNS[index])
    return "".join(letters)
