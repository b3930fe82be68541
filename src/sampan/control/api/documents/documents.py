"""What the API tells about itself: discovery, OpenAPI, version, health and metrics.

Discovery and OpenAPI are made when first asked for after a change of the kinds, or of what
other servers serve, and leave as bytes.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import lru_cache

from sampan.control.api.aggregation import merged_documents as merged
from sampan.control.api.aggregation import merged_swagger
from sampan.control.api.aggregation.remote_versions import OpenApi, RemoteVersions
from sampan.control.api.call import Call
from sampan.control.api.documents.document_forms import DocumentForm, document_bytes, document_form
from sampan.control.api.refusal import JSON_HEADERS, Refused
from sampan.foundation.wire.message import Response
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.registry import Kinds
from sampan.kubernetes.machinery import discovery, openapi, status

_PUBLISHED = "/openapi/v3/"
_HEALTH_PATHS = ("/healthz", "/livez", "/readyz")
_TEXT_HEADERS = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
_YEAR_SECONDS = 365 * 24 * 3600
VERSION: Object = {
    "major": "1",
    "minor": "37",
    "gitVersion": "v1.37.0+sampan",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}

Check = Callable[[], str]
"""The name of a health check's failure; empty when all is well."""


class Documents:
    """The handler of every path that is no resource's."""

    def __init__(
        self,
        kinds: Kinds,
        server_address: str,
        checks: Mapping[str, Check],
        metrics: Callable[[], bytes],
        remote: RemoteVersions,
    ) -> None:
        self._kinds = kinds
        self._remote = remote
        self._server_address = server_address
        self._checks = checks
        self._metrics = metrics
        self._cached = lru_cache(maxsize=128)(self._made)

    async def __call__(self, call: Call) -> Response:
        """Raises Refused (404, 405)."""
        path = call.request.path.rstrip("/") or "/"
        if call.request.method not in ("GET", "HEAD"):
            raise Refused(status.method_not_allowed())
        if path.startswith(_HEALTH_PATHS):
            return self._health(call, path)
        if path == "/metrics":
            return Response(headers=_TEXT_HEADERS, body=self._metrics())
        form = document_form(path, call.request.headers.get("accept", ""))
        revision = self._kinds.revision, self._remote.revision
        if path.startswith("/openapi/"):
            # The documents are large: they are made beside the loop.
            body = await asyncio.to_thread(self._cached, path, form, revision)
        else:
            body = self._cached(path, form, revision)
        if body is None:
            raise Refused(status.path_not_found())
        named = call.request.parameter("hash") if path.startswith(_PUBLISHED) else ""
        if named:
            return await self._named(path, body, form, named)
        return self._answer(call, path, body, form)

    async def _named(self, path: str, body: bytes, form: DocumentForm, named: str) -> Response:
        """A document asked for by the hash of its content, which stays true for ever; another
        content has another address."""
        name = path.removeprefix(_PUBLISHED)
        current = await asyncio.to_thread(self._content_hash, name)
        if named != current:
            headers = {**JSON_HEADERS, "Location": f"{path}?hash={current}"}
            return Response(status=301, headers=headers)
        forever = {"Cache-Control": "public, immutable", "Expires": _in_a_year(), "Vary": "Accept"}
        content = {"Content-Type": form.content_type, "ETag": f'"{current}"'}
        headers = {**JSON_HEADERS, **forever, **content}
        return Response(headers=headers, body=body)

    def _content_hash(self, name: str) -> str:
        remote = self._remote_openapi(name)
        if remote is not None:
            return remote.content_hash
        return openapi.content_hash(self._kinds.all, name)

    def _remote_openapi(self, name: str) -> OpenApi | None:
        return next((it.openapi for it in self._remote if it.document_name == name), None)

    def _answer(self, call: Call, path: str, body: bytes, form: DocumentForm) -> Response:
        headers = {**JSON_HEADERS, "Content-Type": form.content_type}
        if path.startswith(("/openapi/", "/api")):
            tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            headers |= {"ETag": tag, "Vary": "Accept"}
            if call.request.headers.get("if-none-match") == tag:
                return Response(status=304, headers=headers)
        return Response(headers=headers, body=body)

    def _made(self, path: str, form: DocumentForm, _revision: tuple[int, int]) -> bytes | None:
        document = self._document(path, aggregated=form.is_aggregated)
        return None if document is None else document_bytes(document, form)

    def _document(self, path: str, *, aggregated: bool) -> Object | None:
        kinds = self._kinds.all
        if aggregated:
            document = discovery.aggregated(kinds, core=path == "/api")
            return document if path == "/api" else merged.aggregated(document, self._remote)
        made: dict[str, Callable[[], Object]] = {
            "/": lambda: {"paths": self._paths()},
            "/version": lambda: VERSION,
            "/api": lambda: discovery.core_versions(self._server_address),
            "/apis": lambda: merged.group_list(discovery.group_list(kinds), self._remote),
            "/openapi/v2": lambda: merged_swagger.version_2(
                openapi.version_2(kinds), tuple(self._remote)
            ),
            "/openapi/v3": lambda: merged.index(openapi.index(kinds), self._remote),
        }
        if path in made:
            return made[path]()
        if path.startswith(_PUBLISHED):
            name = path.removeprefix(_PUBLISHED)
            remote = self._remote_openapi(name)
            return remote.document if remote else openapi.version_3(kinds, name)
        return self._of_group(path.split("/")[1:])

    def _of_group(self, parts: list[str]) -> Object | None:
        match parts:
            case ["api", version]:
                return discovery.resource_list(self._kinds.all, "", version)
            case ["apis", group]:
                return merged.group(discovery.group(self._kinds.all, group), group, self._remote)
            case ["apis", group, version]:
                return discovery.resource_list(self._kinds.all, group, version)
        return None

    def _paths(self) -> list[str]:
        names = [f"/{name}" for name in openapi.document_names(self._kinds.all)]
        names += [f"/{it.document_name}" for it in self._remote]
        return sorted({"/api", "/apis", "/openapi/v2", "/openapi/v3", "/version", *names})

    def _health(self, call: Call, path: str) -> Response:
        root, _, name = path.removeprefix("/").partition("/")
        if name and name not in self._checks:
            raise Refused(status.path_not_found())
        # A server that is shutting down is alive, but takes no new work.
        chosen = [it for it in self._checks if (it == name if name else it != "shutdown")]
        if root == "readyz" and not name:
            chosen.append("shutdown")
        failed = {it: problem for it in chosen if (problem := self._checks[it]())}
        lines = [
            f"[-]{it} failed: {failed[it]}" if it in failed else f"[+]{it} ok" for it in chosen
        ]
        verdict = f"{root} check failed" if failed else f"{root} check passed"
        verbose = any(key == "verbose" for key, _ in call.request.query)
        text = "\n".join((*lines, verdict)) + "\n" if verbose or failed else "ok"
        return Response(status=500 if failed else 200, headers=_TEXT_HEADERS, body=text.encode())


def _in_a_year() -> str:
    return formatdate(time.time() + _YEAR_SECONDS, usegmt=True)
