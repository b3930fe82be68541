"""A registry that does what a test wants: tokens, redirects, broken lines, lies."""

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from aiohttp import web

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
USER, PASSWORD, TOKEN = "somebody", "secret", "a-token"


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class FakeRegistry:
    """`cuts` are how many bytes of a blob come before the line breaks, one for each request."""

    def __init__(self, port: int = 5000, *, with_tokens: bool = False, passwords: bool = False):
        self.host = f"127.0.0.1:{port}"
        self._port = port
        self._with_tokens = with_tokens
        self._with_passwords = passwords
        self.blobs: dict[str, bytes] = {}
        self.documents: dict[str, tuple[str, bytes]] = {}
        self.cuts: list[int] = []
        self.redirect_blobs_to = ""
        self.knows_ranges = True
        self.uploaded = bytearray()
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []

    async def __aenter__(self) -> "FakeRegistry":
        application = web.Application(client_max_size=256 << 20)
        application.router.add_get("/v2/", self._root)
        application.router.add_get("/token", self._token)
        application.router.add_get("/v2/{name:.+}/manifests/{reference}", self._manifest)
        application.router.add_get("/v2/{name:.+}/blobs/{digest}", self._blob)
        application.router.add_get("/elsewhere/{digest}", self._blob)
        application.router.add_post("/v2/{name:.+}/blobs/uploads/", self._begin_upload)
        application.router.add_get("/uploads/1", self._upload_progress)
        application.router.add_patch("/uploads/1", self._upload_piece)
        application.router.add_put("/uploads/1", self._upload_end)
        application.router.add_put("/v2/{name:.+}/manifests/{reference}", self._put_manifest)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    def add_image(
        self, reference: str, *layers: bytes, architecture: str = "amd64", **changes: Any
    ) -> dict[str, Any]:
        """Plain layers become a gzip image; `changes` replace members of the manifest. The
        descriptor of the manifest."""
        configuration = json.dumps(
            {
                "architecture": architecture,
                "os": "linux",
                "config": {"Cmd": ["/hello"]},
                "rootfs": {"type": "layers", "diff_ids": [digest_of(it) for it in layers]},
            }
        ).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.add_blob(configuration, CONFIG),
            "layers": [self.add_blob(gzip.compress(it, mtime=0), LAYER) for it in layers],
        } | changes
        described = self.add_document(reference, MANIFEST, manifest)
        return described | {"platform": {"os": "linux", "architecture": architecture}}

    def add_blob(self, data: bytes, media_type: str) -> dict[str, Any]:
        self.blobs[digest_of(data)] = data
        return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}

    def add_document(self, reference: str, media_type: str, content: object) -> dict[str, Any]:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.documents[reference] = self.documents[digest_of(data)] = (media_type, data)
        return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}

    def requests_of(self, part: str) -> list[Mapping[str, str]]:
        """The headers of the requests with this in their path."""
        return [headers for _, path, headers in self.asked if part in path]

    def _note(self, request: web.Request) -> web.Response | None:
        self.asked.append((request.method, request.path_qs, dict(request.headers)))
        header = request.headers.get("Authorization", "")
        if self._with_tokens and header != f"Bearer {TOKEN}":
            challenge = f'Bearer realm="http://{self.host}/token",service="tests"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self._with_passwords and header != wanted:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="tests"'})
        return None

    async def _root(self, request: web.Request) -> web.Response:
        return self._note(request) or web.Response(text="{}")

    async def _token(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path_qs, dict(request.headers)))
        return web.json_response({"token": TOKEN})

    async def _manifest(self, request: web.Request) -> web.StreamResponse:
        refused = self._note(request)
        if refused is not None:
            return refused
        found = self.documents.get(request.match_info["reference"])
        if found is None:
            error = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
            return web.json_response(error, status=404)
        return web.Response(body=found[1], headers={"Content-Type": found[0]})

    async def _blob(self, request: web.Request) -> web.StreamResponse:
        is_here = request.path.startswith("/v2/")
        if is_here:
            refused = self._note(request)
            if refused is not None:
                return refused
        else:
            self.asked.append((request.method, request.path_qs, dict(request.headers)))
        digest = request.match_info["digest"]
        if digest not in self.blobs:
            return web.Response(status=404)
        if is_here and self.redirect_blobs_to:
            target = f"http://{self.redirect_blobs_to}/elsewhere/{digest}"
            return web.Response(status=307, headers={"Location": target})
        data = self.blobs[digest]
        start = 0
        if self.knows_ranges and "Range" in request.headers:
            start = int(request.headers["Range"].removeprefix("bytes=").partition("-")[0])
        status = 206 if start else 200
        response = web.StreamResponse(status=status)
        response.content_length = len(data) - start
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        await response.prepare(request)
        cut = self.cuts.pop(0) if self.cuts and len(data) > 4096 else len(data)
        await response.write(data[start : start + cut])
        if start + cut < len(data):
            assert request.transport is not None
            request.transport.close()
        return response

    async def _begin_upload(self, request: web.Request) -> web.Response:
        self.uploaded.clear()
        return self._note(request) or self._upload_place(202)

    async def _upload_progress(self, request: web.Request) -> web.Response:
        return self._note(request) or self._upload_place(204)

    async def _upload_piece(self, request: web.Request) -> web.Response:
        """Takes what comes until the next cut, then breaks the line."""
        self._note(request)
        start = int(request.headers["Content-Range"].partition("-")[0])
        if start != len(self.uploaded):
            return web.Response(status=416)
        end = len(self.uploaded) + self.cuts.pop(0) if self.cuts else None
        async for piece in request.content.iter_any():
            self.uploaded += piece
            if end is not None and len(self.uploaded) >= end:
                del self.uploaded[end:]
                assert request.transport is not None
                request.transport.close()
                break
        return self._upload_place(202)

    async def _upload_end(self, request: web.Request) -> web.Response:
        self._note(request)
        self.uploaded += await request.read()
        data = bytes(self.uploaded)
        if digest_of(data) != request.query["digest"]:
            error = {"errors": [{"code": "DIGEST_INVALID", "message": "digest is another"}]}
            return web.json_response(error, status=400)
        self.blobs[digest_of(data)] = data
        return web.Response(status=201)

    async def _put_manifest(self, request: web.Request) -> web.Response:
        self._note(request)
        reference = request.match_info["reference"]
        self.add_document(reference, request.headers["Content-Type"], await request.read())
        return web.Response(status=201)

    def _upload_place(self, status: int) -> web.Response:
        headers = {"Location": "/uploads/1"}
        if self.uploaded:
            headers["Range"] = f"0-{len(self.uploaded) - 1}"
        return web.Response(status=status, headers=headers)
