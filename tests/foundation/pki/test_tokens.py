"""Tokens are refused unless they are ours, in time, for this audience, and signed as agreed."""

import base64
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from sampan.foundation.pki.authority import generate_key
from sampan.foundation.pki.tokens import InvalidToken, TokenSigner

NOW = datetime(2031, 1, 1, tzinfo=UTC)
ISSUER = "https://kubernetes.default.svc"
KEY = generate_key()
CLAIMS = {
    "sub": "system:serviceaccount:default:web",
    "aud": [ISSUER],
    "exp": int(NOW.timestamp()) + 600,
    "nbf": int(NOW.timestamp()),
    "iat": int(NOW.timestamp()),
}


@pytest.fixture
def signer() -> TokenSigner:
    return TokenSigner(KEY, ISSUER)


def test_a_signed_token_gives_its_claims_back(signer: TokenSigner) -> None:
    claims = signer.verify(signer.sign(CLAIMS), [ISSUER, "other"], NOW)
    assert claims == {**CLAIMS, "iss": ISSUER}


@pytest.mark.parametrize(
    ("claims", "audience", "later"),
    [
        (CLAIMS, ISSUER, 600),
        (CLAIMS, ISSUER, -1),
        (CLAIMS, "another", 0),
        ({**CLAIMS, "aud": "another"}, ISSUER, 0),
        ({**CLAIMS, "exp": "never"}, ISSUER, 0),
        ({name: CLAIMS[name] for name in ("sub", "aud")}, ISSUER, 0),
        ({name: CLAIMS[name] for name in ("sub", "exp")}, ISSUER, 0),
    ],
)
def test_a_token_out_of_time_or_for_others_is_refused(
    signer: TokenSigner, claims: dict, audience: str, later: int
) -> None:
    with pytest.raises(InvalidToken):
        signer.verify(signer.sign(claims), [audience], NOW + timedelta(seconds=later))


def encoded(document: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def forged_tokens() -> list[str]:
    claims = {**CLAIMS, "iss": ISSUER}
    good = TokenSigner(KEY, ISSUER).sign(CLAIMS)
    header, _, signature = good.split(".")
    return [
        "",
        "x",
        "a.b.c",
        "x" * 20_000,
        f"{encoded({'alg': 'none'})}.{encoded(claims)}.",
        f"{encoded({'alg': 'None', 'typ': 'JWT'})}.{encoded(claims)}.{signature}",
        f"{header}.{encoded({**claims, 'sub': 'system:admin'})}.{signature}",
        good[:-4],
        jwt.encode(claims, "x" * 32, "HS256"),
        jwt.encode(claims, generate_key(), "ES256"),
        TokenSigner(KEY, "https://elsewhere").sign(CLAIMS),
    ]


@pytest.mark.parametrize("token", forged_tokens())
def test_a_forged_token_is_refused_without_being_quoted(signer: TokenSigner, token: str) -> None:
    with pytest.raises(InvalidToken) as caught:
        signer.verify(token, [ISSUER], NOW)
    assert len(token) < 5 or token not in str(caught.value)


def test_a_replaced_key_still_verifies_and_no_longer_signs() -> None:
    old = TokenSigner(KEY, ISSUER).sign(CLAIMS)
    new = TokenSigner(generate_key(), ISSUER, replaced=(KEY,))
    assert new.verify(old, [ISSUER], NOW)["sub"] == CLAIMS["sub"]
    with pytest.raises(InvalidToken):
        TokenSigner(KEY, ISSUER).verify(new.sign(CLAIMS), [ISSUER], NOW)
    with pytest.raises(InvalidToken):
        TokenSigner(generate_key(), ISSUER).verify(old, [ISSUER], NOW)


def test_others_can_verify_with_the_published_keys() -> None:
    signer = TokenSigner(generate_key(), ISSUER, replaced=(KEY,))
    token = signer.sign(CLAIMS)
    published = {key["kid"]: key for key in signer.key_set()["keys"]}
    assert len(published) == 2
    key = jwt.PyJWK(published[jwt.get_unverified_header(token)["kid"]])
    options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    claims = jwt.decode(token, key, algorithms=["ES256"], audience=ISSUER, options=options)
    assert claims["iss"] == ISSUER
    assert all(
        set(key) == {"use", "kty", "kid", "crv", "alg", "x", "y"} for key in published.values()
    )
