"""The file that names external issuers: `AuthenticationConfiguration` of apiserver.config.k8s.io.

Read once, at the start. A field that is not known is refused: an issuer whose rules are not
understood must not be trusted.
"""

from collections.abc import Iterator
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


class ValidationRule(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A claim that must have a value, or an expression that must be true."""

    claim: str = ""
    required_value: str = ""
    expression: str = ""
    message: str = ""


class MappedClaim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A claim, with something before its value; or an expression."""

    claim: str = ""
    prefix: str | None = None
    expression: str = ""


class ExtraMapping(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    key: str
    value_expression: str


class ClaimMappings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    username: MappedClaim
    groups: MappedClaim = MappedClaim()
    uid: MappedClaim = MappedClaim()
    extra: tuple[ExtraMapping, ...] = ()


class TokenIssuer(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One trusted issuer: its tokens, and how their claims name a user."""

    issuer: Issuer
    claim_mappings: ClaimMappings
    claim_validation_rules: tuple[ValidationRule, ...] = ()
    user_validation_rules: tuple[ValidationRule, ...] = ()


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
    return [
        *_issuer_problems(trusted.issuer),
        *_mapping_problems(trusted.claim_mappings),
        *_rule_problems(trusted),
    ]


def _issuer_problems(issuer: Issuer) -> Iterator[str]:
    if not issuer.url.startswith("https://"):
        yield "issuer.url: URL scheme must be https"
    if issuer.discovery_url and not issuer.discovery_url.startswith("https://"):
        yield "issuer.discoveryURL: URL scheme must be https"
    if not issuer.audiences:
        yield "issuer.audiences: at least one audience is required"
    if len(issuer.audiences) > 1 and issuer.audience_match_policy != "MatchAny":
        yield "issuer.audienceMatchPolicy: must be MatchAny for multiple audiences"


def _mapping_problems(mappings: ClaimMappings) -> Iterator[str]:
    if not mappings.username.claim and not mappings.username.expression:
        yield "claimMappings.username: claim or expression is required"
    for name in ("username", "groups", "uid"):
        mapping: MappedClaim = getattr(mappings, name)
        if mapping.claim and mapping.expression:
            yield f"claimMappings.{name}: claim and expression can't both be set"
        if mapping.expression and mapping.prefix is not None:
            yield f"claimMappings.{name}.prefix: can't be set with an expression"
        if name != "uid" and mapping.claim and mapping.prefix is None:
            yield f"claimMappings.{name}.prefix: required; it may be empty"
    keys = [each.key for each in mappings.extra]
    if len(set(keys)) != len(keys):
        yield "claimMappings.extra: a key is named twice"
    for key in keys:
        domain, separator, _ = key.partition("/")
        if not separator or key != key.lower():
            yield f"claimMappings.extra: {key!r} must be a domain-prefixed path in lower case"
        if f".{domain}".endswith((".kubernetes.io", ".k8s.io")):
            yield f"claimMappings.extra: {key!r} is in a domain of Kubernetes"


def _rule_problems(trusted: TokenIssuer) -> Iterator[str]:
    for rule in trusted.claim_validation_rules:
        if bool(rule.claim) == bool(rule.expression):
            yield "claimValidationRules: either claim or expression is required"
    for rule in trusted.user_validation_rules:
        if rule.claim or not rule.expression:
            yield "userValidationRules: expression is required"
