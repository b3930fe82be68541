"""What other servers say that they serve: the documents of each version of a group, as last seen.

A version whose server can't be asked stays, and is called stale. It must not know how documents
are fetched, nor in which form they leave.
"""

import hashlib
from collections.abc import Iterator

import msgspec

from sampan.control.api.aggregation.api_services import ApiServices
from sampan.kubernetes.kinds.kind import Object

_Place = tuple[str, str]


class OpenApi(msgspec.Struct, frozen=True):
    """A version's document of OpenAPI; `tag` is the server's own name for its content."""

    document: Object
    content_hash: str
    tag: str = ""


class RemoteVersion(msgspec.Struct, frozen=True):
    """`resources` are entries of an APIResourceList; `openapi` is of version 3, `swagger` the part
    of the server's document of version 2 that is about this version."""

    group: str
    version: str
    resources: tuple[Object, ...] = ()
    openapi: OpenApi | None = None
    swagger: OpenApi | None = None
    is_fresh: bool = False

    @property
    def group_version(self) -> str:
        return f"{self.group}/{self.version}"

    @property
    def document_name(self) -> str:
        """Its name among the documents of OpenAPI v3."""
        return f"apis/{self.group_version}"


class RemoteVersions:
    """All of them, in the order in which clients prefer them; `revision` changes with any."""

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._known: dict[_Place, RemoteVersion] = {}
        self.revision = 0
        services.on_change(self._changed)

    def __iter__(self) -> Iterator[RemoteVersion]:
        for service in self._services:
            yield self._known.get(service.place) or RemoteVersion(*service.place)

    def at(self, group: str, version: str) -> RemoteVersion:
        return self._known.get((group, version)) or RemoteVersion(group, version)

    def put(self, found: RemoteVersion) -> None:
        place = found.group, found.version
        if self._known.get(place) != found:
            self._known[place] = found
            self.revision += 1

    def grow_stale(self, group: str, version: str) -> None:
        """Its server can't be asked any more."""
        known = self._known.get((group, version))
        if known is not None and known.is_fresh:
            self.put(msgspec.structs.replace(known, is_fresh=False))

    def _changed(self, _name: str) -> None:
        for place in tuple(self._known):
            if self._services.at(*place) is None:
                del self._known[place]
        self.revision += 1


def openapi_of(body: bytes, tag: str) -> OpenApi:
    """Raises msgspec.DecodeError for what is no JSON object."""
    document = msgspec.json.decode(body, type=dict)
    return OpenApi(document, hashlib.sha256(body).hexdigest().upper(), tag)
