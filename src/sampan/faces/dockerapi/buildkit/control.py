"""The services that a client of BuildKit calls: `Control`, and the gateway that clients' own
frontends solve through (`LLBBridge`).

Sources: BuildKit's `api/services/control/control.proto` and `frontend/gateway/pb/gateway.proto`.
"""

import platform
import time
from collections.abc import Mapping

from sampan.engine.build.contract import Builds, CacheRecord
from sampan.faces.dockerapi.buildkit import grpc
from sampan.faces.dockerapi.buildkit.cache_options import exports_in
from sampan.faces.dockerapi.buildkit.exporters import read_exporters
from sampan.faces.dockerapi.buildkit.session import Sessions
from sampan.faces.dockerapi.buildkit.solve_request import checked_entitlements, checked_frontend
from sampan.faces.dockerapi.buildkit.solves import Solves
from sampan.foundation.wire import protobuf_fields as protobuf
from sampan.foundation.wire.protobuf_fields import Fields

_CONTROL = "/moby.buildkit.v1.Control/"
_GATEWAY = "/moby.buildkit.v1.frontend.LLBBridge/"
_BUILD = "buildkit-controlapi-buildid"
_VERSION = "v0.13.0"
_WORKER = "sampan"
_RESULT = "result"
_TOLD = "result.json"
# Clients learn by the first that several platforms, archives and caches can be had.
_LABELS = {
    "org.mobyproject.buildkit.worker.snapshotter": "overlayfs",
    "org.mobyproject.buildkit.worker.executor": "oci",
}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_CAPABILITIES = (
    "solve.base",
    "solve.inlinereturn",
    "return",
    "returnmap",
    "proto.refarray",
    "reference.output",
    "frontend.inputs",
    "gateway.solve.metadata",
    "gateway.solve.evaluate",
)


class BuildKitServices:
    """All that one engine answers; `handlers` go by the paths of gRPC."""

    def __init__(self, builds: Builds) -> None:
        self._builds = builds
        self.sessions = Sessions()
        self._solves = Solves(builds, self.sessions, time.time)

    def handlers(self) -> Mapping[str, grpc.Handler]:
        return {
            f"{_CONTROL}Solve": self._solve,
            f"{_CONTROL}Status": self._status,
            f"{_CONTROL}Info": self._info,
            f"{_CONTROL}ListWorkers": self._workers,
            f"{_CONTROL}DiskUsage": self._usage,
            f"{_CONTROL}Prune": self._prune,
            f"{_GATEWAY}Ping": self._ping,
            f"{_GATEWAY}Solve": self._gateway_solve,
            f"{_GATEWAY}Return": self._gateway_return,
        }

    async def _solve(self, call: grpc.GrpcStream) -> None:
        request = await _request(call)
        if request.data(12):
            raise grpc.CallFailed(grpc.UNIMPLEMENTED, "source policies are not kept to here")
        frontend = request.text(6)
        checked_frontend(frontend)
        solve = await self._solves.begin(
            request.text(1),
            request.text(5),
            read_exporters(request),
            exports_in(Fields(request.data(8))),
            checked_entitlements(request.texts(9)),
        )
        try:
            if frontend:
                await self._solves.run(solve, request.mapping(7))
            else:
                await solve.returned()
        finally:
            solve.progress.finish()
        await call.send(protobuf.mapping(1, solve.result()))

    async def _status(self, call: grpc.GrpcStream) -> None:
        solve = await self._solves.find((await _request(call)).text(1))
        async for message in solve.progress.messages():
            await call.send(message)

    async def _info(self, call: grpc.GrpcStream) -> None:
        await _request(call)
        await call.send(protobuf.message(1, _version()))

    async def _workers(self, call: grpc.GrpcStream) -> None:
        await _request(call)
        await call.send(protobuf.message(1, _worker()))

    async def _usage(self, call: grpc.GrpcStream) -> None:
        await _request(call)
        records = await self._builds.cache_usage()
        await call.send(b"".join(protobuf.message(1, _record(record)) for record in records))

    async def _prune(self, call: grpc.GrpcStream) -> None:
        request = await _request(call)
        is_all = bool(request.integer(2))
        duration, now = request.integer(3) / 1e9, time.time()
        before = {record.identifier: record for record in await self._builds.cache_usage()}
        pruned = await self._builds.prune_cache(
            is_wanted=lambda record: (
                (record.is_shared and not is_all)
                or (bool(duration) and record.last_used > now - duration)
            ),
            keep_bytes=request.integer(4),
        )
        for identifier in pruned.identifiers:
            if identifier in before:
                await call.send(_record(before[identifier]))

    async def _ping(self, call: grpc.GrpcStream) -> None:
        await _request(call)
        await self._solves.find(call.metadata.get(_BUILD, ""))
        capabilities = b"".join(
            protobuf.message(1, protobuf.text(1, name) + protobuf.integer(2, True))
            for name in _CAPABILITIES
        )
        await call.send(capabilities + protobuf.message(3, _worker()))

    async def _gateway_solve(self, call: grpc.GrpcStream) -> None:
        request = await _request(call)
        solve = await self._solves.find(call.metadata.get(_BUILD, ""))
        frontend, options = request.text(2), request.mapping(3)
        checked_frontend(frontend)
        if not frontend:
            raise grpc.CallFailed(grpc.UNIMPLEMENTED, "only Dockerfiles are built here")
        if "requestid" in options:
            told = await self._solves.describe(solve, options)
            entry = protobuf.text(1, _TOLD) + protobuf.data(2, told)
            await call.send(protobuf.message(3, protobuf.message(10, entry)))
            return
        await self._solves.run(solve, options)
        reference = protobuf.text(1, _RESULT)
        await call.send(protobuf.message(3, protobuf.message(3, reference)))

    async def _gateway_return(self, call: grpc.GrpcStream) -> None:
        request = await _request(call)
        solve = await self._solves.find(call.metadata.get(_BUILD, ""))
        error = Fields(request.data(2)).text(2) if request.has(2) else ""
        solve.give_back(error or ("the build failed" if request.has(2) else ""))
        await call.send(b"")


async def _request(call: grpc.GrpcStream) -> Fields:
    """The one message of a call. Raises CallFailed, InvalidProtobuf, ConnectionError."""
    message = await call.receive()
    if message is None:
        raise grpc.CallFailed(grpc.INVALID, "the request is missing")
    return Fields(message)


def _version() -> bytes:
    return protobuf.text(1, "sampan") + protobuf.text(2, _VERSION)


def _worker() -> bytes:
    machine = platform.machine()
    architecture = _ARCHITECTURES.get(machine, machine)
    return (
        protobuf.text(1, _WORKER)
        + protobuf.mapping(2, _LABELS)
        + protobuf.message(3, protobuf.text(1, architecture) + protobuf.text(2, "linux"))
        + protobuf.message(5, _version())
    )


def _record(record: CacheRecord) -> bytes:
    parents = b"".join(protobuf.text(12, parent) for parent in record.parents)
    return (
        protobuf.text(1, record.identifier)
        + protobuf.integer(3, record.is_in_use)
        + protobuf.integer(4, record.size)
        + protobuf.timestamp(6, record.created)
        + protobuf.timestamp(7, record.last_used)
        + protobuf.integer(8, record.uses)
        + protobuf.text(9, record.description)
        + protobuf.text(10, record.kind)
        + protobuf.integer(11, record.is_shared)
        + parents
    )
