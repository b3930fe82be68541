"""What files a volume of configuration holds: configMap, secret, downwardAPI, projected. Pure.

The result maps relative paths to contents; nothing here touches a disk.
"""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

import msgspec

from sampan.node import references
from sampan.node.pod_view import (
    CertificateProjection,
    DownwardFile,
    KeyToPath,
    Pod,
    Projection,
    SecretProjection,
    TokenProjection,
    TrustProjection,
    Volume,
)
from sampan.node.references import Contents, MissingReference, Surroundings
from sampan.node.volumes.pod_certificates import CertificateKey, Credential
from sampan.node.volumes.trust_anchors import trust_anchors

DEFAULT_MODE = 0o644


class File(msgspec.Struct, frozen=True):
    """`owner` None leaves the file to root."""

    content: bytes
    mode: int = DEFAULT_MODE
    owner: int | None = None


Payload = dict[str, File]


class TokenRequestKey(msgspec.Struct, frozen=True):
    """What a service account token is asked for."""

    audience: str
    expiration_seconds: int


class Credentials(msgspec.Struct, frozen=True):
    """What was issued to one pod; in place of a certificate that is missing stands why."""

    tokens: Mapping[TokenRequestKey, str] = {}
    certificates: Mapping[CertificateKey, Credential | str] = {}


def is_configuration(volume: Volume) -> bool:
    """Whether a volume's files come from the API rather than from a disk."""
    return bool(volume.config_map or volume.secret or volume.downward_api or volume.projected)


def token_requests(pod: Pod) -> frozenset[TokenRequestKey]:
    """The tokens that a pod's projected volumes need."""
    return frozenset(
        TokenRequestKey(source.service_account_token.audience, _expiration(source))
        for volume in pod.spec.volumes
        for source in volume.projections
        if source.service_account_token
    )


def _expiration(source: Projection) -> int:
    token = source.service_account_token
    return token.expiration_seconds if token else 0


def payload(pod: Pod, volume: Volume, around: Surroundings, credentials: Credentials) -> Payload:
    """The files of one configuration volume; raises MissingReference."""
    if volume.config_map:
        source = volume.config_map
        plain = SecretProjection(source.name, source.items, source.optional)
        mode = _mode(source.default_mode)
        return _keys(plain, around.config_maps, "configmap", mode)
    if volume.secret:
        secret = volume.secret
        plain = SecretProjection(secret.secret_name, secret.items, secret.optional)
        return _keys(plain, around.secrets, "secret", _mode(secret.default_mode))
    if volume.downward_api:
        mode = _mode(volume.downward_api.default_mode)
        return _downward(pod, volume.downward_api.items, around, mode)
    if volume.projected:
        mode = _mode(volume.projected.default_mode)
        found: Payload = {}
        for index, projection in enumerate(volume.projections):
            if projection.pod_certificate:
                held = credentials.certificates.get(CertificateKey(volume.name, index), "")
                found |= _certificate(pod, projection.pod_certificate, held, mode)
            else:
                found |= _projected(pod, projection, around, credentials.tokens, mode)
        return found
    raise MissingReference(f"volume {volume.name!r} holds no configuration")


def _mode(mode: int | None) -> int:
    return DEFAULT_MODE if mode is None else mode


def _projected(
    pod: Pod,
    source: Projection,
    around: Surroundings,
    tokens: Mapping[TokenRequestKey, str],
    mode: int,
) -> Payload:
    if source.config_map:
        return _keys(source.config_map, around.config_maps, "configmap", mode)
    if source.secret:
        return _keys(source.secret, around.secrets, "secret", mode)
    if source.downward_api:
        return _downward(pod, source.downward_api.items, around, mode)
    if source.service_account_token:
        return _token(pod, source.service_account_token, tokens, mode)
    if source.cluster_trust_bundle:
        return _trust(pod, source.cluster_trust_bundle, around, mode)
    raise MissingReference("a source of a projected volume is not supported")


def _keys(
    source: SecretProjection, objects: Mapping[str, Contents], kind: str, mode: int
) -> Payload:
    contents = objects.get(source.name)
    if contents is None:
        if source.optional:
            return {}
        raise MissingReference(f'{kind} "{source.name}" not found')
    if not source.items:
        return {safe_path(key): File(value, mode) for key, value in contents.items()}
    found: Payload = {}
    for item in source.items:
        if item.key in contents:
            found[safe_path(item.path)] = File(contents[item.key], _item_mode(item, mode))
        elif not source.optional:
            raise MissingReference(f"{kind} references non-existent config key: {item.key}")
    return found


def _item_mode(item: KeyToPath | DownwardFile, mode: int) -> int:
    return mode if item.mode is None else item.mode


def _downward(pod: Pod, items: Iterable[DownwardFile], around: Surroundings, mode: int) -> Payload:
    found: Payload = {}
    for item in items:
        if item.field_ref:
            value = references.field_value(pod, item.field_ref.field_path, around)
        elif item.resource_field_ref:
            value = references.resource_value(pod, item.resource_field_ref, None, around)
        else:
            raise MissingReference(f"file {item.path!r} of the downward API names no source")
        found[safe_path(item.path)] = File(value.encode(), _item_mode(item, mode))
    return found


def _token(
    pod: Pod, source: TokenProjection, tokens: Mapping[TokenRequestKey, str], mode: int
) -> Payload:
    token = tokens.get(TokenRequestKey(source.audience, source.expiration_seconds))
    if token is None:
        raise MissingReference("the service account token has not been issued yet")
    return {safe_path(source.path): _own_file(pod, token.encode(), mode)}


def _trust(pod: Pod, source: TrustProjection, around: Surroundings, mode: int) -> Payload:
    content = trust_anchors(source, around.trust_bundles)
    return {safe_path(source.path): _own_file(pod, content, mode)}


def _certificate(
    pod: Pod, source: CertificateProjection, held: Credential | str, mode: int
) -> Payload:
    if isinstance(held, str):
        raise MissingReference(held)
    contents = {
        source.credential_bundle_path: held.key + held.chain,
        source.key_path: held.key,
        source.certificate_chain_path: held.chain,
    }
    return {
        safe_path(path): _own_file(pod, content, mode) for path, content in contents.items() if path
    }


def _own_file(pod: Pod, content: bytes, mode: int) -> File:
    """A file that its pod's one user alone can read, or all where there are several (KEP-2451)."""
    owner = _single_user(pod)
    if pod.spec.security_context.fs_group is not None:
        return File(content, 0o640)
    return File(content, mode if owner is None else 0o600, owner)


def _single_user(pod: Pod) -> int | None:
    of_pod = pod.spec.security_context.run_as_user
    own = [item.security_context.run_as_user for item in pod.all_containers]
    users = {of_pod if user is None else user for user in own}
    return users.pop() if len(users) == 1 else None


def safe_path(path: str) -> str:
    """A relative path without `..`; raises MissingReference for any other."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or parts[0].startswith(".."):
        raise MissingReference(f"path {path!r} leads out of its volume")
    return "/".join(parts)
