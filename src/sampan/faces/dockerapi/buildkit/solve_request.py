"""What a client of BuildKit wants built, as the engine's request. Pure."""

from collections.abc import Sequence

import msgspec

from sampan.engine.build.contract import BuildRequest, Context, StepResources
from sampan.engine.build.named_contexts import context_key
from sampan.engine.build.outputs import Output
from sampan.engine.configuration import ResourceLimit
from sampan.engine.contract import InvalidConfiguration, NotImplementedHere
from sampan.faces.dockerapi.buildkit.cache_options import (
    CacheOption,
    export_locations,
    has_inline_cache,
    import_locations,
)
from sampan.faces.dockerapi.buildkit.exporters import Exporter, annotations_of

_FRONTENDS = ("dockerfile.v0", "")
_FOLDER_CONTEXT, _IMAGE_CONTEXT, _REMOTE_CONTEXTS = "local", "docker-image", ("http", "https")
_HOST_NETWORK = "network.host"
_ARGUMENT, _LABEL, _CONTEXT = "build-arg:", "label:", "context:"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """`options` are the frontend's; names of folders are those that the client knows."""

    session: str
    options: dict[str, str]
    exporters: tuple[Exporter, ...] = ()
    cache_exports: tuple[CacheOption, ...] = ()
    entitlements: tuple[str, ...] = ()

    @property
    def dockerfile(self) -> str:
        return self.options.get("filename") or "Dockerfile"

    @property
    def context_folder(self) -> str:
        return self.options.get("contextkey") or "context"

    @property
    def dockerfile_folder(self) -> str:
        return self.options.get("dockerfilekey") or "dockerfile"

    @property
    def remote(self) -> str:
        """The URL that is the context, "" when it is a folder of the client's."""
        return self.options.get("context", "")

    @property
    def arguments(self) -> dict[str, str | None]:
        """Those of the build."""
        return _prefixed(self.options, _ARGUMENT)

    @property
    def named_folders(self) -> dict[str, str]:
        """Contexts by their names that are folders of the client's. Raises NotImplementedHere."""
        return {
            name: place for name, (kind, place) in self._named().items() if kind == _FOLDER_CONTEXT
        }

    @property
    def named_images(self) -> dict[str, str]:
        """Contexts by their names that are images. Raises NotImplementedHere."""
        return {
            name: place.removeprefix("//")
            for name, (kind, place) in self._named().items()
            if kind == _IMAGE_CONTEXT
        }

    @property
    def named_remotes(self) -> dict[str, str]:
        """Contexts by their names that are URLs. Raises NotImplementedHere."""
        return {
            name: f"{kind}:{place}"
            for name, (kind, place) in self._named().items()
            if kind in _REMOTE_CONTEXTS
        }

    def _named(self) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for key, value in self.options.items():
            if key.startswith(_CONTEXT):
                kind, _, place = value.partition(":")
                if kind not in (_FOLDER_CONTEXT, _IMAGE_CONTEXT, *_REMOTE_CONTEXTS):
                    raise NotImplementedHere(f"a build context of the kind {kind[:40]}")
                found[context_key(key.removeprefix(_CONTEXT).partition("::")[0])] = kind, place
        return found


def checked_frontend(frontend: str) -> None:
    """Raises NotImplementedHere."""
    if frontend not in _FRONTENDS:
        raise NotImplementedHere(f"the frontend {frontend[:60]!r}: use dockerfile.v0")


def checked_entitlements(names: Sequence[str]) -> tuple[str, ...]:
    """What the user allows the build beyond the usual (`--allow`). Raises InvalidConfiguration."""
    for name in names:
        if name != _HOST_NETWORK:
            raise InvalidConfiguration(
                f"granting entitlement {name[:60]} is not allowed by build daemon configuration"
            )
    return tuple(names)


def build_request(
    wanted: Wanted,
    dockerfile: bytes | None,
    contexts: dict[str, Context],
    outputs: tuple[Output, ...],
) -> BuildRequest:
    """Raises InvalidConfiguration, NotImplementedHere."""
    options = wanted.options
    uncached = options.get("no-cache")
    annotations, index_annotations = annotations_of(wanted.exporters)
    return BuildRequest(
        dockerfile=wanted.dockerfile,
        dockerfile_content=dockerfile,
        outputs=outputs,
        annotations=annotations,
        index_annotations=index_annotations,
        target=options.get("target", ""),
        build_arguments=wanted.arguments,
        labels={key: value or "" for key, value in _prefixed(options, _LABEL).items()},
        platforms=tuple(one for one in options.get("platform", "").split(",") if one),
        network=options.get("force-network-mode") or "default",
        extra_hosts=_hosts(options.get("add-hosts", "")),
        resources=StepResources(
            resource_limits=_limits(options.get("ulimit", "")),
            shared_memory=_number(options.get("shm-size", "")),
        ),
        cgroup_parent=options.get("cgroup-parent", ""),
        pull=options.get("image-resolve-mode") == "pull",
        use_cache=uncached != "",
        uncached_stages=tuple(uncached.split(",")) if uncached else (),
        cache_imports=import_locations(options),
        cache_exports=export_locations(wanted.cache_exports),
        has_inline_cache=has_inline_cache(wanted.cache_exports, options),
        history="buildkit",
        named_contexts=contexts,
        named_images=wanted.named_images,
        allows_host_network=_HOST_NETWORK in wanted.entitlements,
    )


def _prefixed(options: dict[str, str], prefix: str) -> dict[str, str | None]:
    return {
        key.removeprefix(prefix): value for key, value in options.items() if key.startswith(prefix)
    }


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(host.replace("=", ":", 1) for host in text.split(",") if host)


def _limits(text: str) -> tuple[ResourceLimit, ...]:
    """`nofile=1024:2048,nproc=3`."""
    limits = []
    for entry in text.split(","):
        name, equals, values = entry.partition("=")
        if equals:
            soft, _, hard = values.partition(":")
            limits.append(ResourceLimit(name, _number(soft), _number(hard or soft)))
    return tuple(limits)


def _number(text: str) -> int:
    if not text:
        return 0
    if not (text.lstrip("-").isdecimal() and len(text) <= 18):
        raise InvalidConfiguration(f"{text[:40]!r} is not a number")
    return int(text)
