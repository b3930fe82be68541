"""From a method and a path to the handler that answers: a table. Pure.

`{name}` in a pattern takes everything up to what follows it, slashes included where it is written
`{name*}` (an image's name has some).
"""

import re
from collections.abc import Iterable, Mapping

import msgspec

from sampan.faces.dockerapi.call import Handler

_PARAMETER = re.compile(r"\{(\w+)(\*?)\}")


class Route(msgspec.Struct, frozen=True):
    method: str
    pattern: str
    handler: Handler


class Router:
    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes: dict[tuple[str, str], list[tuple[re.Pattern[str], Handler]]] = {}
        for route in routes:
            key = (route.method, route.pattern.split("/")[1])
            self._routes.setdefault(key, []).append((_compiled(route.pattern), route.handler))

    def find(self, method: str, path: str) -> tuple[Handler, Mapping[str, str]] | None:
        """The first that fits, with the path's parameters."""
        for pattern, handler in self._routes.get((method, path.split("/", 2)[1]), ()):
            if found := pattern.fullmatch(path):
                return handler, found.groupdict()
        return None


def _compiled(pattern: str) -> re.Pattern[str]:
    parts: list[str] = []
    end = 0
    for found in _PARAMETER.finditer(pattern):
        parts.append(re.escape(pattern[end : found.start()]))
        parts.append(f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})")
        end = found.end()
    return re.compile("".join(parts) + re.escape(pattern[end:]))
