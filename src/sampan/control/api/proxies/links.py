"""Addresses in what a proxied server answers, made to lead through the proxy again.

The rules are those of k8s.io/apimachinery `util/proxy.Transport`: redirects, and links in HTML,
that lead to the server itself get the proxy's path before their own. Pure.
"""

import posixpath
from html import escape
from html.parser import HTMLParser
from urllib.parse import urlsplit, urlunsplit

import msgspec

LONGEST_TAG = 64 * 1024
_LINKS: dict[str, tuple[str, ...]] = {
    "a": ("href",),
    "applet": ("codebase",),
    "area": ("href",),
    "audio": ("src",),
    "base": ("href",),
    "blockquote": ("cite",),
    "body": ("background",),
    "button": ("formaction",),
    "command": ("icon",),
    "del": ("cite",),
    "embed": ("src",),
    "form": ("action",),
    "frame": ("longdesc", "src"),
    "head": ("profile",),
    "html": ("manifest",),
    "iframe": ("longdesc", "src"),
    "img": ("longdesc", "src", "usemap"),
    "input": ("src", "usemap", "formaction"),
    "ins": ("cite",),
    "link": ("href",),
    "object": ("classid", "codebase", "data", "usemap"),
    "q": ("cite",),
    "script": ("src",),
    "source": ("src",),
    "video": ("poster", "src"),
}


class Links(msgspec.Struct, frozen=True):
    """`prefix` is the proxy's path; `hosts` are the names by which the server calls itself."""

    prefix: str
    hosts: frozenset[str]

    def rewritten(self, url: str) -> str:
        """The URL through the proxy; one of another host, or a relative one, as it is."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return url
        if not parts.path.startswith("/") or (parts.netloc and parts.netloc not in self.hosts):
            return url
        path = parts.path
        if not path.startswith(self.prefix):
            path = joined(self.prefix, path)
        return urlunsplit(("", "", path, parts.query, parts.fragment))


def joined(prefix: str, path: str) -> str:
    """Both as one clean path, with the second's trailing slash."""
    clean = posixpath.normpath(f"{prefix}/{path}")
    # POSIX lets two slashes at the front be.
    clean = "/" + clean.lstrip("/")
    return clean + "/" if path.endswith("/") and not clean.endswith("/") else clean


class HtmlLinks(HTMLParser):
    """A page on its way: give it pieces, get pieces with other links; all else stays as it is."""

    def __init__(self, links: Links) -> None:
        super().__init__(convert_charrefs=False)
        self._links = links
        self._tag = ""
        self._changes: list[tuple[int, int, str]] = []
        self._given_up = False

    def piece(self, data: bytes) -> bytes:
        """What can be passed on by now. A page that can't be read passes unchanged."""
        text = data.decode("latin-1")
        if self._given_up:
            return data
        before = self.rawdata + text
        self._changes.clear()
        self.feed(text)
        done = before[: len(before) - len(self.rawdata)]
        if len(self.rawdata) > LONGEST_TAG:
            self._given_up = True
            done, self.rawdata = before, ""
        return self._changed(done).encode("latin-1", "xmlcharrefreplace")

    def rest(self) -> bytes:
        """What was held back, at the page's end."""
        rest, self.rawdata = self.rawdata, ""
        return rest.encode("latin-1")

    def _changed(self, text: str) -> str:
        pieces, position = [], 0
        for start, end, tag in self._changes:
            pieces += [text[position:start], tag]
            position = end
        return "".join([*pieces, text[position:]])

    def parse_starttag(self, i: int) -> int:
        self._tag = ""
        end = super().parse_starttag(i)
        if self._tag and end > i:
            self._changes.append((i, end, self._tag))
        return end

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = _LINKS.get(tag)
        if names is None:
            return
        changed = [
            (name, self._links.rewritten(value) if value and name in names else value)
            for name, value in attrs
        ]
        if changed != attrs:
            shown = "".join(
                f" {name}" if value is None else f' {name}="{escape(value)}"'
                for name, value in changed
            )
            closed = "/" if (self.get_starttag_text() or "").endswith("/>") else ""
            self._tag = f"<{tag}{shown}{closed}>"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
