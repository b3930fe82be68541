"""Envelopes: what comes back, what is refused, and which refusal it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.store.envelope import (
    PLAIN,
    BadEnvelope,
    EncryptionRule,
    Envelopes,
    MissingKey,
)

OLD, NEW = b"o" * 32, b"n" * 32
KEY = b"/core/secrets/shop/password"
SECRET = b"the value that nobody may read"


def envelopes(*keys: bytes, write_plain: bool = False) -> Envelopes:
    return Envelopes((EncryptionRule(b"/core/secrets/", keys, write_plain),))


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_what_is_sealed_comes_back(key: bytes, value: bytes) -> None:
    for chosen in (PLAIN, Envelopes((EncryptionRule(b"", (NEW,)),))):
        assert chosen.unseal(key, chosen.seal(key, value)) == value


def test_a_rule_is_for_its_prefix_alone() -> None:
    chosen = envelopes(NEW)
    assert SECRET not in chosen.seal(KEY, SECRET)
    assert SECRET in chosen.seal(b"/core/configmaps/shop/password", SECRET)


def test_two_seals_of_one_value_differ() -> None:
    chosen = envelopes(NEW)
    assert chosen.seal(KEY, SECRET) != chosen.seal(KEY, SECRET)


def test_the_first_key_writes_and_every_key_reads() -> None:
    before, after = envelopes(OLD), envelopes(NEW, OLD)
    stored = before.seal(KEY, SECRET)
    assert after.unseal(KEY, stored) == SECRET
    renewed = after.seal(KEY, SECRET)
    assert envelopes(NEW).unseal(KEY, renewed) == SECRET
    with pytest.raises(MissingKey):
        before.unseal(KEY, renewed)


def test_keys_may_be_for_reading_alone() -> None:
    leaving = envelopes(OLD, write_plain=True)
    stored = envelopes(OLD).seal(KEY, SECRET)
    assert leaving.unseal(KEY, stored) == SECRET
    assert PLAIN.unseal(KEY, leaving.seal(KEY, SECRET)) == SECRET


def test_a_missing_key_is_no_damage() -> None:
    with pytest.raises(MissingKey, match="password"):
        PLAIN.unseal(KEY, envelopes(OLD).seal(KEY, SECRET))


@pytest.mark.parametrize("chosen", [PLAIN, envelopes(NEW)])
def test_any_flipped_bit_and_any_cut_is_damage(chosen: Envelopes) -> None:
    stored = chosen.seal(KEY, SECRET)
    for position in range(len(stored) * 8):
        flipped = bytearray(stored)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(BadEnvelope):
            chosen.unseal(KEY, bytes(flipped))
    for length in range(len(stored)):
        with pytest.raises(BadEnvelope):
            chosen.unseal(KEY, stored[:length])


@pytest.mark.parametrize("chosen", [PLAIN, Envelopes((EncryptionRule(b"", (NEW,)),))])
def test_a_value_is_not_taken_under_another_key(chosen: Envelopes) -> None:
    with pytest.raises(BadEnvelope):
        chosen.unseal(b"/core/secrets/other", chosen.seal(KEY, SECRET))
