"""The file that names external issuers: `AuthenticationConfiguration` of apiserver.config.k8s.io.

Read once, at the start. Plain claim mappings and required claims are known; expressions are
refused by name, for an issuer whose rules are not understood must not be trusted.
"""

from pathlib import Path
from typing import Any

import msgspec
import yaml

_KIND = "AuthenticationConfiguration"
_VERSIONS = tuple(f"apiserver.config.k8s.io/{it}" for it in ("v1", "v1beta1", "v1alpha1"))


class InvalidConfiguration(ValueError):
    """The file is not a configuration that this server can follow."""


class Issuer(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    url: str
    audiences: tuple[str, ...]
    discovery_url: str = msgspec.field(default="", name="discoveryURL")
    certificate_authority: str = ""
    audience_match_policy: str = ""


class RequiredClaim(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    claim: str
    required_value: str = ""


class PrefixedClaim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    claim: str = ""
    prefix: str | None = None


class PlainClaim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    claim: str = ""


class ClaimMappings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    username: PrefixedClaim
    groups: PrefixedClaim = PrefixedClaim()
    uid: PlainClaim = PlainClaim()


class TokenIssuer(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One trusted issuer: its tokens, and how their claims name a user."""

    issuer: Issuer
    claim_mappings: ClaimMappings
    claim_validation_rules: tuple[RequiredClaim, ...] = ()


class _Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    path: str


class Anonymous(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether requests without any credential are let in, and to which paths (all if empty)."""

    enabled: bool
    conditions: tuple[_Condition, ...] = ()

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(condition.path for condition in self.conditions)


class AuthenticationConfiguration(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True
):
    api_version: str
    kind: str
    jwt: tuple[TokenIssuer, ...] = ()
    anonymous: Anonymous | None = None


def read(path: Path) -> AuthenticationConfiguration:
    """Raises OSError, InvalidConfiguration."""
    try:
        return checked(yaml.safe_load(path.read_text()))
    except yaml.YAMLError as error:
        raise InvalidConfiguration(f"{path}: {error}") from error


def checked(tree: Any) -> AuthenticationConfiguration:
    """Raises InvalidConfiguration."""
    try:
        configuration = msgspec.convert(tree, AuthenticationConfiguration)
    except msgspec.ValidationError as error:
        raise InvalidConfiguration(f"{_KIND}: {error}") from error
    if configuration.kind != _KIND or configuration.api_version not in _VERSIONS:
        raise InvalidConfiguration(f"not an {_KIND} of {', '.join(_VERSIONS)}")
    urls = [each.issuer.url for each in configuration.jwt]
    if len(set(urls)) != len(urls):
        raise InvalidConfiguration("an issuer is named twice")
    for index, each in enumerate(configuration.jwt):
        for problem in _problems(each):
            raise InvalidConfiguration(f"jwt[{index}].{problem}")
    return configuration


def _problems(trusted: TokenIssuer) -> list[str]:
    issuer, mappings = trusted.issuer, trusted.claim_mappings
    found: list[str] = []
    if not issuer.url.startswith("https://"):
        found.append("issuer.url: URL scheme must be https")
    if issuer.discovery_url and not issuer.discovery_url.startswith("https://"):
        found.append("issuer.discoveryURL: URL scheme must be https")
    if not issuer.audiences:
        found.append("issuer.audiences: at least one audience is required")
    if len(issuer.audiences) > 1 and issuer.audience_match_policy != "MatchAny":
        found.append("issuer.audienceMatchPolicy: must be MatchAny for multiple audiences")
    if not mappings.username.claim:
        found.append("claimMappings.username.claim: required")
    if mappings.username.prefix is None:
        found.append("claimMappings.username.prefix: required; it may be empty")
    if mappings.groups.claim and mappings.groups.prefix is None:
        found.append("claimMappings.groups.prefix: required; it may be empty")
    return found
