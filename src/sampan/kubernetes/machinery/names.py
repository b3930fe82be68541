"""The forms of names, label keys and label values, and the messages for those that break them.

Each function gives the messages for what is wrong, none when the text is right. The forms are
those of k8s.io/apimachinery `validation`: RFC 1123, RFC 1035, qualified names.
"""

import re
from collections.abc import Callable
from functools import lru_cache, wraps

_LABEL_MAXIMUM = 63
_SUBDOMAIN_MAXIMUM = 253
_LABEL_1123 = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL_1123}(\.{_LABEL_1123})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_ENVIRONMENT = "[ -<>-~]+"
_REMEMBERED = 4096
_LONGEST_REMEMBERED = _SUBDOMAIN_MAXIMUM + 1 + _LABEL_MAXIMUM

_label_1123 = re.compile(_LABEL_1123)
_label_1035 = re.compile(_LABEL_1035)
_subdomain = re.compile(_SUBDOMAIN)
_qualified = re.compile(_QUALIFIED)
_label_value = re.compile(_LABEL_VALUE)
_config_key = re.compile(_CONFIG_KEY)
_environment = re.compile(_ENVIRONMENT)
_port_signs = re.compile("[-a-z0-9]+")
_letter = re.compile("[a-z]")

_Check = Callable[[str], tuple[str, ...]]


def _remembered(check: _Check) -> _Check:
    """The same names come again and again; only those of a possible length are kept."""
    known = lru_cache(_REMEMBERED)(check)

    @wraps(check)
    def remembered(text: str) -> tuple[str, ...]:
        return known(text) if len(text) <= _LONGEST_REMEMBERED else check(text)

    return remembered


def _length(maximum: int) -> str:
    return f"must be no more than {maximum} bytes"


def _regex(text: str, form: str, *examples: str) -> str:
    shown = ",  or ".join(f"'{example}'" for example in examples)
    return f"{text} (e.g. {shown}, regex used for validation is '{form}')"


_SUBDOMAIN_MESSAGE = _regex(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' "
    "or '.', and must start and end with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)
_LABEL_1123_MESSAGE = _regex(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character",
    _LABEL_1123,
    "my-name",
    "123-abc",
)
_LABEL_1035_MESSAGE = _regex(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character",
    _LABEL_1035,
    "my-name",
    "abc-123",
)
_QUALIFIED_MESSAGE = _regex(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character",
    _QUALIFIED,
    "MyName",
    "my.name",
    "123-abc",
)
_LABEL_VALUE_MESSAGE = _regex(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' "
    "or '.', and must start and end with an alphanumeric character",
    _LABEL_VALUE,
    "MyValue",
    "my_value",
    "12345",
)
_CONFIG_KEY_MESSAGE = _regex(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)


def _check(text: str, form: re.Pattern[str], message: str, maximum: int) -> tuple[str, ...]:
    length = (_length(maximum),) if len(text.encode()) > maximum else ()
    # A text that is far too long is not put through a pattern.
    if len(text) <= maximum * 8 and not form.fullmatch(text):
        return (*length, message)
    return length


@_remembered
def subdomain(text: str) -> tuple[str, ...]:
    """RFC 1123 subdomain: the names of most kinds."""
    return _check(text, _subdomain, _SUBDOMAIN_MESSAGE, _SUBDOMAIN_MAXIMUM)


@_remembered
def label(text: str) -> tuple[str, ...]:
    """RFC 1123 label: namespaces, containers, volumes."""
    return _check(text, _label_1123, _LABEL_1123_MESSAGE, _LABEL_MAXIMUM)


def label_1035(text: str) -> tuple[str, ...]:
    """RFC 1035 label: services."""
    return _check(text, _label_1035, _LABEL_1035_MESSAGE, _LABEL_MAXIMUM)


def path_segment(text: str) -> tuple[str, ...]:
    """What may stand in a URL: the names of roles and their bindings.

    Kubernetes takes signs that terminals obey and that nobody sees; here they are refused.
    """
    if text in (".", ".."):
        return (f"may not be '{text}'",)
    if not text.isprintable():
        return ("may not contain unprintable characters",)
    return tuple(f"may not contain '{sign}'" for sign in "/%" if sign in text)


@_remembered
def qualified_name(text: str) -> tuple[str, ...]:
    """`prefix/name`: label and annotation keys, resource and condition names."""
    prefix, slash, name = text.rpartition("/")
    if "/" in prefix:
        shown = _QUALIFIED_MESSAGE.replace("must consist", "a qualified name must consist", 1)
        return (
            f"{shown} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
        )
    messages: list[str] = []
    if slash and not prefix:
        messages.append("prefix part must be non-empty")
    elif slash:
        messages += [f"prefix part {message}" for message in subdomain(prefix)]
    if not name:
        return (*messages, "name part must be non-empty", f"name part {_QUALIFIED_MESSAGE}")
    found = _check(name, _qualified, _QUALIFIED_MESSAGE, _LABEL_MAXIMUM)
    return (*messages, *(f"name part {message}" for message in found))


@_remembered
def label_value(text: str) -> tuple[str, ...]:
    return _check(text, _label_value, _LABEL_VALUE_MESSAGE, _LABEL_MAXIMUM)


def config_key(text: str) -> tuple[str, ...]:
    """Keys of ConfigMaps and Secrets."""
    if text in (".", ".."):
        return (f"must not be '{text}'",)
    if text.startswith(".."):
        return ("must not start with '..'",)
    return _check(text, _config_key, _CONFIG_KEY_MESSAGE, _SUBDOMAIN_MAXIMUM)


@_remembered
def port_name(text: str) -> tuple[str, ...]:
    """RFC 6335 service name: the names of container ports and of named target ports."""
    messages: list[str] = []
    if len(text) > 15:
        return ("must be no more than 15 characters",)
    if not _port_signs.fullmatch(text):
        messages.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not _letter.search(text):
        messages.append("must contain at least one letter (a-z)")
    if "--" in text:
        messages.append("must not contain consecutive hyphens")
    if text.startswith("-") or text.endswith("-"):
        messages.append("must not begin or end with a hyphen")
    return tuple(messages)


def environment_name(text: str) -> tuple[str, ...]:
    """Printable ASCII other than `=` (relaxed environment variable names)."""
    if _environment.fullmatch(text):
        return ()
    return (
        "a valid environment variable name must consist only of printable ASCII characters "
        "other than '='",
    )


FORMS = {
    "subdomain": subdomain,
    "label": label,
    "label-1035": label_1035,
    "path-segment": path_segment,
}
