"""The forms of names."""

import pytest

from sampan.kubernetes.machinery import names


@pytest.mark.parametrize("text", ["a", "a-b", "a.b-c.d", "0", "x" * 253])
def test_subdomains(text: str) -> None:
    assert names.subdomain(text) == ()


@pytest.mark.parametrize(
    "text", ["", "A", "-a", "a-", "a..b", "a/b", "../x", "a\n", "x" * 254, "é"]
)
def test_what_is_no_subdomain(text: str) -> None:
    assert names.subdomain(text) != ()


def test_labels_hold_no_dots_and_services_start_with_a_letter() -> None:
    assert names.label("a.b") != ()
    assert names.label("1a") == ()
    assert names.label_1035("1a") != ()
    assert names.label("x" * 64) == ("must be no more than 63 bytes",)


@pytest.mark.parametrize("text", ["a", "A_b.c", "example.com/My-Name", "kubernetes.io/hostname"])
def test_qualified_names(text: str) -> None:
    assert names.qualified_name(text) == ()


@pytest.mark.parametrize("text", ["", "/a", "a/", "a/b/c", "A.com/x", "-a", "a b", "x" * 64])
def test_what_is_no_qualified_name(text: str) -> None:
    assert names.qualified_name(text) != ()


def test_path_segments() -> None:
    assert names.path_segment("system:node") == ()
    for text in (".", "..", "a/b", "a%b"):
        assert names.path_segment(text) != ()


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("http", True),
        ("a" * 16, False),
        ("80", False),
        ("a--b", False),
        ("A", False),
        ("-a", False),
    ],
)
def test_port_names(text: str, right: bool) -> None:
    assert (names.port_name(text) == ()) is right


def test_configuration_keys() -> None:
    assert names.config_key("app.properties") == ()
    for text in (".", "..", "..a", "a/b", ""):
        assert names.config_key(text) != ()


def test_environment_names_are_printable_without_an_equals_sign() -> None:
    for text in ("PATH", "a b", "~", "a.b-c"):
        assert names.environment_name(text) == ()
    for text in ("", "a=b", "é", "a\n", "\x7f"):
        assert names.environment_name(text) != ()


def test_what_is_wrong_stays_wrong_when_asked_again() -> None:
    for text in ("A_", "x" * 400):
        assert names.label(text) == names.label(text) != ()
