"""Names and addresses to which a proxy may be pointed."""

import pytest

from sampan.control.api.proxies.target_name import (
    TargetName,
    is_proxyable,
    port_number,
    remainder,
    target_name,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("web", TargetName("web")),
        ("web:80", TargetName("web", port="80")),
        ("web:", TargetName("web")),
        ("https:web:", TargetName("web", "https")),
        (":web:http", TargetName("web", port="http")),
        ("http:web:http", TargetName("web", "http", "http")),
        ("ftp:web:21", None),
        (":80", None),
        ("", None),
        ("a:b:c:d", None),
    ],
)
def test_names(text: str, found: TargetName | None) -> None:
    assert target_name(text) == found


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.42.0.3", True),
        ("2001:db8::1", True),
        ("127.0.0.1", False),
        ("127.9.9.9", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("169.254.169.254", False),
        ("fe80::1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_no_proxy_leads_to_this_machine_or_its_link(address: str, allowed: bool) -> None:
    assert is_proxyable(address) is allowed


def test_ports_are_numbers_of_ports() -> None:
    assert [port_number(it) for it in ("80", "0", "65536", "http", "", "-1")] == [80] + [None] * 5


def test_what_follows_the_proxy_is_the_path_there() -> None:
    assert remainder("/api/v1/namespaces/a/pods/proxy/proxy/x/proxy/y/") == "/x/proxy/y/"
    assert remainder("/api/v1/nodes/n/proxy//x") == "//x"
    assert remainder("/api/v1/nodes/n/proxy/") == "/"
    assert remainder("/api/v1/nodes/n/proxy") == ""
