"""What a client wants built: the parameters of `POST /build` as the engine's request. Pure."""

from typing import Any

import msgspec

from sampan.engine.build.contract import BuildRequest, StepResources
from sampan.engine.build.outputs import StoreOutput
from sampan.engine.configuration import ResourceLimit
from sampan.engine.containers.configuration import Resources, Ulimit
from sampan.engine.containers.translation import limits
from sampan.engine.contract import InvalidConfiguration
from sampan.faces.dockerapi.call import Call
from sampan.faces.dockerapi.platforms import platform_of

_DEFAULT_DOCKERFILE = "Dockerfile"
_SHOWN = {"buildargs": "build args", "ulimits": "ulimit settings", "cachefrom": "cache sources"}


def build_request(call: Call) -> BuildRequest:
    """Raises InvalidConfiguration."""
    _refuse(call)
    platform = platform_of(call.text("platform"))
    return BuildRequest(
        dockerfile=call.text("dockerfile") or _DEFAULT_DOCKERFILE,
        outputs=(StoreOutput(names=tuple(name for name in call.texts("t") if name)),),
        target=call.text("target"),
        build_arguments=_parsed(call, "buildargs", dict[str, str | None], {}),
        labels=_parsed(call, "labels", dict[str, str], {}),
        platforms=(platform,) if platform else (),
        network=call.text("networkmode") or "default",
        extra_hosts=tuple(
            host for hosts in call.texts("extrahosts") for host in hosts.split(",") if host
        ),
        resources=_resources(call),
        cgroup_parent=call.text("cgroupparent"),
        pull=call.flag("pull"),
        use_cache=not call.flag("nocache"),
        cache_from=tuple(_parsed(call, "cachefrom", list[str], [])),
    )


def _refuse(call: Call) -> None:
    """What Docker's engine doesn't do either, unless it is experimental or runs on Windows."""
    if call.flag("squash"):
        raise InvalidConfiguration("squash is only supported with experimental mode")
    isolation = call.text("isolation")
    if isolation.lower() not in ("", "default"):
        raise InvalidConfiguration(f'Unsupported isolation: "{isolation[:40]}"')
    if call.texts("securityopt"):
        raise InvalidConfiguration(
            "The daemon on this platform does not support setting security options on build"
        )


def _resources(call: Call) -> StepResources:
    """What a container would get for the same words. Raises InvalidConfiguration."""
    resources = Resources(
        memory=call.number("memory") or 0,
        memory_swap=call.number("memswap") or 0,
        cpu_shares=call.number("cpushares") or 0,
        cpu_period=call.number("cpuperiod") or 0,
        cpu_quota=call.number("cpuquota") or 0,
        cpu_set_cpus=call.text("cpusetcpus"),
        cpu_set_memory_nodes=call.text("cpusetmems"),
    )
    ulimits = _parsed(call, "ulimits", list[Ulimit], [])
    return StepResources(
        limits=limits(resources),
        resource_limits=tuple(ResourceLimit(one.name, one.soft, one.hard) for one in ulimits),
        shared_memory=call.number("shmsize") or 0,
    )


def _parsed(call: Call, name: str, kind: Any, default: Any) -> Any:
    """A parameter that is JSON. Raises InvalidConfiguration."""
    text = call.text(name)
    if not text or text == "null":
        return default
    try:
        return msgspec.json.decode(text.encode(), type=kind)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise InvalidConfiguration(f"error reading {_SHOWN.get(name, name)}: {error}") from error
