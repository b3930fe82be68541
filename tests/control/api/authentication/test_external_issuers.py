"""Tokens of outside issuers: whom they name, and how their keys are had."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sampan.control.api.authentication.configuration import InvalidConfiguration, checked
from sampan.control.api.authentication.external_issuers import ExternalIssuers
from sampan.foundation.pki.tokens import InvalidToken
from sampan.testing import virtual_clock

NOW = datetime(2031, 1, 1, tzinfo=UTC)
ISSUER = "https://login.example.com"
CLAIMS = {
    "iss": ISSUER,
    "aud": "cluster",
    "exp": int(NOW.timestamp()) + 60,
    "sub": "jane",
    "teams": ["devs", "ops"],
    "org": "acme",
    "id": "u-7",
}
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


USERNAME = {"username": {"claim": "sub", "prefix": ""}}


def configuration(**changes):
    trusted = {
        "issuer": {"url": ISSUER, "audiences": ["cluster"], "certificateAuthority": "PEM"},
        "claimMappings": {
            "username": {"claim": "sub", "prefix": "login:"},
            "groups": {"claim": "teams", "prefix": ""},
            "uid": {"claim": "id"},
        },
        "claimValidationRules": [{"claim": "org", "requiredValue": "acme"}],
    } | changes
    tree = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration"}
    return checked(tree | {"jwt": [trusted]})


class Provider:
    """An issuer's documents, and who asked for them."""

    def __init__(self, keys=None, issuer=ISSUER):
        self.keys = {"one": KEY} if keys is None else keys
        self.issuer = issuer
        self.asked = []

    @classmethod
    def of(cls, trusted):
        return ExternalIssuers(trusted.jwt, cls().fetch, lambda: NOW)

    async def fetch(self, address, authorities):
        assert authorities == "PEM"
        self.asked.append(address)
        await asyncio.sleep(0.01)
        if address == f"{ISSUER}/.well-known/openid-configuration":
            document = {"issuer": self.issuer, "jwks_uri": f"{ISSUER}/keys"}
            return json.dumps(document).encode()
        if address == f"{ISSUER}/keys":
            return json.dumps(
                {"keys": [*map(published, self.keys.items()), {"kty": "oct"}]}
            ).encode()
        raise ConnectionError(address)


def published(named):
    name, key = named
    algorithm = (
        jwt.algorithms.RSAAlgorithm
        if hasattr(key, "key_size") and isinstance(key, rsa.RSAPrivateKey)
        else jwt.algorithms.ECAlgorithm
    )
    return algorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": name, "use": "sig"}


def token(key=KEY, algorithm="RS256", name="one", **changes):
    claims = {field: value for field, value in (CLAIMS | changes).items() if value is not None}
    return jwt.encode(claims, key, algorithm, headers={"kid": name})


def judge(given, provider=None, now=NOW, **changes):
    provider = provider or Provider()
    issuers = ExternalIssuers(configuration(**changes).jwt, provider.fetch, lambda: now)
    return virtual_clock.run(issuers.proof(given, ISSUER, ("api",)))


def test_claims_become_a_user():
    identity = judge(token()).identity
    assert (identity.name, identity.uid) == ("login:jane", "u-7")
    assert identity.groups == ("devs", "ops", "system:authenticated")
    assert judge(token(teams="devs")).identity.groups == ("devs", "system:authenticated")
    assert judge(token(teams=None)).identity.groups == ("system:authenticated",)


@pytest.mark.parametrize(
    "given",
    [
        token(aud="another"),
        token(exp=int(NOW.timestamp())),
        token(exp=None),
        token(nbf=int(NOW.timestamp()) + 60),
        token(org="other"),
        token(sub=None),
        token(sub=7),
        token(teams=[1]),
        token(iss="https://elsewhere"),
        token(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        token(name="two"),
        jwt.encode(CLAIMS, "x" * 32, "HS256", headers={"kid": "one"}),
        jwt.encode(CLAIMS, "", "none", headers={"kid": "one"}),
        token() + "x",
    ],
)
def test_tokens_that_are_not_taken(given):
    with pytest.raises(InvalidToken):
        judge(given)


def test_an_email_counts_when_it_is_verified():
    mappings = {"username": {"claim": "email", "prefix": ""}}
    verified = token(email="jane@example.com", email_verified=True)
    assert judge(verified, claimMappings=mappings).identity.name == "jane@example.com"
    with pytest.raises(InvalidToken):
        judge(token(email="jane@example.com", email_verified=False), claimMappings=mappings)


def test_an_issuer_that_speaks_for_another_is_not_believed():
    with pytest.raises(InvalidToken):
        judge(token(), Provider(issuer="https://elsewhere"))


def test_keys_are_fetched_once_and_again_for_a_new_one_but_not_for_garbage():
    async def story():
        provider = Provider()
        issuers = ExternalIssuers(configuration().jwt, provider.fetch, lambda: NOW)
        await asyncio.gather(*(issuers.proof(token(), ISSUER, ("api",)) for _ in range(5)))
        assert len(provider.asked) == 2
        for _ in range(5):
            with pytest.raises(InvalidToken):
                await issuers.proof(token(name="nosuch"), ISSUER, ("api",))
        assert len(provider.asked) == 2
        new = ec.generate_private_key(ec.SECP256R1())
        provider.keys["new"] = new
        await asyncio.sleep(10)
        assert await issuers.proof(token(new, "ES256", "new"), ISSUER, ("api",))
        assert len(provider.asked) == 4

    virtual_clock.run(story())


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": {"url": "http://login.example.com", "audiences": ["cluster"]}},
        {"issuer": {"url": ISSUER, "audiences": []}},
        {"issuer": {"url": ISSUER, "audiences": ["a", "b"]}},
        {"claimMappings": {"username": {"claim": "sub"}}},
        {"claimMappings": {"username": {"claim": "sub", "prefix": "", "expression": "claims.a"}}},
        {"claimMappings": {"username": {"expression": "claims.sub", "prefix": "a"}}},
        {"claimMappings": {"username": {"expression": "claims.sub +"}}},
        {"claimMappings": {"username": {"expression": "other.sub"}}},
        {"claimMappings": {"username": {"expression": "claims.email"}}},
        {"claimMappings": USERNAME | {"extra": [{"key": "a", "valueExpression": "claims.a"}]}},
        {"claimMappings": USERNAME | {"extra": [{"key": "k8s.io/a", "valueExpression": "'a'"}]}},
        {"claimValidationRules": [{"claim": "a", "expression": "true"}]},
        {"userValidationRules": [{"message": "no"}]},
        {"surprise": True},
    ],
)
def test_a_configuration_that_is_not_understood_is_refused(changes):
    with pytest.raises(InvalidConfiguration):
        Provider.of(configuration(**changes))


def test_a_token_lives_no_longer_than_it_says():
    with pytest.raises(InvalidToken):
        judge(token(), now=NOW + timedelta(seconds=60))


EXPRESSIONS = {
    "claimMappings": {
        "username": {"expression": "claims.sub + '@' + claims.org"},
        "groups": {"expression": "claims.teams.map(team, 'team:' + team)"},
        "uid": {"expression": "claims.id"},
        "extra": [
            {"key": "example.com/org", "valueExpression": "claims.org"},
            {"key": "example.com/none", "valueExpression": "''"},
        ],
    },
    "claimValidationRules": [
        {"expression": "claims.exp - 0 > 1", "message": "the token lives too long"},
    ],
    "userValidationRules": [
        {"expression": "!user.username.startsWith('system:')", "message": "a reserved name"},
    ],
}


def test_expressions_become_a_user():
    identity = judge(token(), **EXPRESSIONS).identity
    assert identity.name == "jane@acme"
    assert identity.groups == ("team:devs", "team:ops", "system:authenticated")
    assert identity.uid == "u-7"
    assert identity.extra == {"example.com/org": ("acme",)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (token(sub="system:admin"), "a reserved name"),
        (token(teams="devs"), "an expression over the token's claims failed"),
        (token(id=None), "an expression over the token's claims failed"),
        (token(exp=1), "the token has expired"),
    ],
)
def test_expressions_refuse(given, message):
    with pytest.raises(InvalidToken, match=message):
        judge(given, **EXPRESSIONS)


def test_an_expression_that_is_not_true_refuses_with_its_message():
    rules = [{"expression": "claims.org == 'other'", "message": "not one of us"}]
    with pytest.raises(InvalidToken, match="not one of us"):
        judge(token(), claimValidationRules=rules)
