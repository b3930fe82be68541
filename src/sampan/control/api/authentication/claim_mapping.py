"""From the claims of a verified token to a user, as the configuration of its issuer says. Pure.

Each part of an identity is a claim, or an expression over `claims`; rules over `user` come last.
The semantics are those of apiserver.config.k8s.io/v1 (KEP-3331).
"""

from collections.abc import Mapping
from typing import Any

from sampan.control.api.authentication.configuration import (
    InvalidConfiguration,
    MappedClaim,
    TokenIssuer,
    ValidationRule,
)
from sampan.control.api.authentication.identities import AUTHENTICATED, user_information
from sampan.foundation.pki.tokens import InvalidToken, audiences_of
from sampan.foundation.wire.message import Identity
from sampan.kubernetes.expressions.budget import Budget
from sampan.kubernetes.expressions.errors import (
    BudgetExceeded,
    EvaluationFailed,
    InvalidExpression,
)
from sampan.kubernetes.expressions.program import Program, compile

_EMAIL, _VERIFIED = "claims.email", "claims.email_verified"


class ClaimMapping:
    """The rules of one issuer, compiled once."""

    def __init__(self, trusted: TokenIssuer) -> None:
        """Raises InvalidConfiguration."""
        self._trusted = trusted
        mappings = trusted.claim_mappings
        self._programs = {
            text: _compiled(text, "claims")
            for text in (
                mappings.username.expression,
                mappings.groups.expression,
                mappings.uid.expression,
                *(rule.expression for rule in trusted.claim_validation_rules),
                *(each.value_expression for each in mappings.extra),
            )
            if text
        }
        self._users = {
            rule.expression: _compiled(rule.expression, "user")
            for rule in trusted.user_validation_rules
        }
        _check_email(trusted)

    def identity(self, claims: dict[str, Any]) -> Identity:
        """Raises InvalidToken."""
        if not set(audiences_of(claims)) & set(self._trusted.issuer.audiences):
            raise InvalidToken("the token is invalid: Audience doesn't match")
        budget = Budget()
        for rule in self._trusted.claim_validation_rules:
            self._check_claims(rule, claims, budget)
        found = self._mapped(claims, budget)
        user = {"uid": "", "extra": {}} | user_information(found)
        for rule in self._trusted.user_validation_rules:
            if _value(self._users[rule.expression], {"user": user}, budget) is not True:
                raise InvalidToken(_message(rule, "the token's user is not as required"))
        return Identity(found.name, (*found.groups, AUTHENTICATED), found.uid, found.extra)

    def _check_claims(self, rule: ValidationRule, claims: dict[str, Any], budget: Budget) -> None:
        if rule.expression:
            allowed = self._of(rule.expression, claims, budget) is True
        else:
            allowed = claims.get(rule.claim) == rule.required_value
        if not allowed:
            raise InvalidToken(
                _message(rule, f"the token's claim {rule.claim!r} is not as required")
            )

    def _mapped(self, claims: dict[str, Any], budget: Budget) -> Identity:
        mappings = self._trusted.claim_mappings
        name = self._part(mappings.username, claims, budget)
        if not isinstance(name, str) or not name:
            raise InvalidToken("the token names no user")
        is_verified = claims.get("email_verified", True) is True
        if mappings.username.claim == "email" and not is_verified:
            raise InvalidToken("the token's email is not verified")
        uid = self._part(mappings.uid, claims, budget)
        if not isinstance(uid, str):
            raise InvalidToken("the token's uid is not a string")
        extra = {
            each.key: _texts(self._of(each.value_expression, claims, budget), each.key)
            for each in mappings.extra
        }
        groups = _texts(self._part(mappings.groups, claims, budget), "groups")
        return Identity(
            name=(mappings.username.prefix or "") + name,
            groups=tuple((mappings.groups.prefix or "") + group for group in groups),
            uid=uid,
            extra={key: values for key, values in extra.items() if values},
        )

    def _part(self, mapping: MappedClaim, claims: dict[str, Any], budget: Budget) -> Any:
        if mapping.expression:
            return self._of(mapping.expression, claims, budget)
        return claims.get(mapping.claim, "") if mapping.claim else ""

    def _of(self, expression: str, claims: dict[str, Any], budget: Budget) -> Any:
        return _value(self._programs[expression], {"claims": claims}, budget)


def _compiled(text: str, variable: str) -> Program:
    try:
        return compile(text, variables=(variable,))
    except InvalidExpression as error:
        raise InvalidConfiguration(f"{text}: {error}") from error


def _check_email(trusted: TokenIssuer) -> None:
    """An address that nobody has verified names nobody."""
    text = trusted.claim_mappings.username.expression
    others = [
        *(rule.expression for rule in trusted.claim_validation_rules),
        *(each.value_expression for each in trusted.claim_mappings.extra),
    ]
    uses = _EMAIL in text.replace(_VERIFIED, "")
    if uses and not any(_VERIFIED in each for each in (text, *others)):
        raise InvalidConfiguration(
            "claimMappings.username.expression: claims.email_verified must be used as well, "
            "here, in claimMappings.extra[*].valueExpression or in "
            "claimValidationRules[*].expression"
        )


def _value(program: Program, bindings: Mapping[str, Any], budget: Budget) -> Any:
    try:
        return program.evaluate(bindings, budget)
    except (EvaluationFailed, BudgetExceeded) as error:
        raise InvalidToken("an expression over the token's claims failed") from error


def _texts(given: Any, what: str) -> tuple[str, ...]:
    """One text or several; nothing and the empty text are none."""
    listed = [given] if isinstance(given, str) else given or []
    if not isinstance(listed, list) or not all(isinstance(it, str) for it in listed):
        raise InvalidToken(f"the token's {what} are not a list of strings")
    return tuple(it for it in listed if it)


def _message(rule: ValidationRule, otherwise: str) -> str:
    return rule.message or otherwise
