"""Quantities: exact values and canonical forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kubernetes.machinery import quantities


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1024Mi", "1Gi"),
        ("1536Mi", "1536Mi"),
        ("1.5Gi", "1536Mi"),
        ("100", "100"),
        ("1e3", "1e3"),
        ("9E", "9E"),
        ("0", "0"),
        ("0.0", "0"),
        ("0.1Mi", "104857600m"),
        ("-1.5", "-1500m"),
        (".5", "500m"),
        ("5.", "5"),
        ("0.5Ki", "512"),
        ("1n", "1n"),
        ("0.0000000001", "1n"),
        ("100000Ki", "100000Ki"),
        ("2000k", "2M"),
        ("+1", "1"),
        (2, "2"),
        (0.25, "250m"),
        ("9223372036854775808", "9223372036854775807"),
    ],
)
def test_canonical_form(text: str | int | float, canonical: str) -> None:
    assert quantities.canonical(text) == canonical


@pytest.mark.parametrize(
    "text",
    ["", "lots", "1 Gi", "1.2.3", "Gi", "1GiB", "--1", "1e", "0x10", "1e999", "٣", "1\n", "1" * 99],
)
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(quantities.InvalidQuantity, match="quantities must match"):
        quantities.parse(text)


@given(
    st.integers(-(10**6), 10**6),
    st.sampled_from(["", "n", "u", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "E-3"]),
)
def test_the_canonical_form_has_the_same_value_and_is_its_own(number: int, suffix: str) -> None:
    text = f"{number}{suffix}"
    canonical = quantities.canonical(text)
    assert quantities.parse(canonical) == quantities.parse(text)
    assert quantities.canonical(canonical) == canonical
