"""What controllers see of the kinds of identity: accounts, roles, tokens, certificates.

Frozen projections like those of `views`, and as free of rules.
"""

from typing import Any

import msgspec

from sampan.control.controllers.views import Condition
from sampan.kubernetes.machinery.metadata import Metadata


class ServiceAccount(msgspec.Struct, frozen=True):
    metadata: Metadata


class AggregationRule(msgspec.Struct, frozen=True, rename="camel"):
    cluster_role_selectors: tuple[dict[str, Any], ...] = ()


class ClusterRole(msgspec.Struct, frozen=True, rename="camel"):
    metadata: Metadata
    rules: tuple[dict[str, Any], ...] | None = None
    aggregation_rule: AggregationRule | None = None


class Secret(msgspec.Struct, frozen=True):
    """Of the caches, none but those of tokens hold Secrets."""

    metadata: Metadata
    data: dict[str, str] | None = None


class SigningRequestSpec(msgspec.Struct, frozen=True, rename="camel"):
    request: str
    signer_name: str
    usages: tuple[str, ...] = ()
    expiration_seconds: int | None = None
    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = {}


class SigningRequestStatus(msgspec.Struct, frozen=True):
    certificate: str = ""
    conditions: tuple[Condition, ...] = ()


class SigningRequest(msgspec.Struct, frozen=True):
    """A CertificateSigningRequest; `request` and `certificate` are PEM in base64."""

    metadata: Metadata
    spec: SigningRequestSpec
    status: SigningRequestStatus = SigningRequestStatus()


class PodCertificateRequest(msgspec.Struct, frozen=True):
    metadata: Metadata


class TrustBundleSpec(msgspec.Struct, frozen=True, rename="camel"):
    trust_bundle: str = ""


class TrustBundle(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: TrustBundleSpec
