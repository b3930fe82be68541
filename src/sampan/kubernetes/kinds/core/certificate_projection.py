"""The rules of a projected certificate of a pod (KEP-4317; ValidateVolumes in
pkg/apis/core/validation)."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.certificates.signer_names import check_signer_name
from sampan.kubernetes.kinds.core.paths import check_local_path
from sampan.kubernetes.kinds.field_rules import check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import invalid, required, unsupported

DEFAULT_SECONDS = 86400
_SHORTEST, _LONGEST, _LONGEST_OF_KUBERNETES = 3600, 91 * 86400, 86400
_KEY_TYPES = ("ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519", "RSA3072", "RSA4096")
_PATHS = ("credentialBundlePath", "keyPath", "certificateChainPath")


def check_certificate(source: Object, field: str) -> Iterator[Cause]:
    """Who signs it, of which key, for how long, and into which files it goes."""
    signer = source.get("signerName", "")
    yield from check_signer_name(signer, f"{field}.signerName")
    key_type = source.get("keyType", "")
    if key_type not in _KEY_TYPES:
        yield unsupported(f"{field}.keyType", key_type, _KEY_TYPES)
    yield from _check_seconds(source.get("maxExpirationSeconds"), signer, field)
    paths = [name for name in _PATHS if source.get(name)]
    if not paths:
        yield required(field, f"specify at least one of {', '.join(_PATHS)}")
    for name in paths:
        yield from check_local_path(source[name], f"{field}.{name}")
    for key in source.get("userAnnotations") or ():
        yield from check_text(names.qualified_name, key.lower(), f"{field}.userAnnotations")


def _check_seconds(seconds: int | None, signer: str, field: str) -> Iterator[Cause]:
    if seconds is None:
        return
    domain = signer.partition("/")[0]
    own = domain == "kubernetes.io" or domain.endswith(".kubernetes.io")
    longest = _LONGEST_OF_KUBERNETES if own else _LONGEST
    path = f"{field}.maxExpirationSeconds"
    if seconds < _SHORTEST:
        yield invalid(path, seconds, f"if provided, maxExpirationSeconds must be >= {_SHORTEST}")
    if seconds > longest:
        yield invalid(path, seconds, f"if provided, maxExpirationSeconds must be <= {longest}")
