"""Links of a page and redirects, made to lead through the proxy."""

import pytest

from sampan.control.api.proxies.links import HtmlLinks, Links, joined

LINKS = Links("/proxy", frozenset({"10.0.0.1:80", "front"}))


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("/a/b?x=1#y", "/proxy/a/b?x=1#y"),
        ("/a/", "/proxy/a/"),
        ("/proxy/a", "/proxy/a"),
        ("http://10.0.0.1:80/a", "/proxy/a"),
        ("https://front/a", "/proxy/a"),
        ("https://other/a", "https://other/a"),
        ("a/b", "a/b"),
        ("?x", "?x"),
        ("#y", "#y"),
        ("http://[", "http://["),
    ],
)
def test_only_what_leads_to_the_server_is_changed(url: str, wanted: str) -> None:
    assert LINKS.rewritten(url) == wanted


def test_joining_cleans_and_keeps_the_last_slash() -> None:
    assert joined("", "/a/../b/") == "/b/"
    assert joined("", "//a") == "/a"
    assert joined("", "/") == "/"
    assert joined("/p", "/../../x") == "/x"


PAGE = (
    '<!DOCTYPE html><html><!-- <a href="/no"> --><script>let a = \'<a href="/no">\'</script>'
    '<A HREF=/yes class="q">é &lt;</A><form action="/send?a=1&amp;b=2"><img src="x"/><br/>'
)
CHANGED = (
    '<!DOCTYPE html><html><!-- <a href="/no"> --><script>let a = \'<a href="/no">\'</script>'
    '<a href="/proxy/yes" class="q">é &lt;</A><form action="/proxy/send?a=1&amp;b=2">'
    '<img src="x"/><br/>'
)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_page_is_changed_piece_by_piece(size: int) -> None:
    page, data = HtmlLinks(LINKS), PAGE.encode()
    pieces = [page.piece(data[start : start + size]) for start in range(0, len(data), size)]
    assert b"".join([*pieces, page.rest()]).decode() == CHANGED


def test_an_endless_tag_passes_unchanged() -> None:
    page, piece = HtmlLinks(LINKS), b'<a href="' + b"x" * 70_000
    assert page.piece(piece) + page.piece(b'/y">') + page.rest() == piece + b'/y">'
