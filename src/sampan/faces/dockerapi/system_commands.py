"""The engine as a whole: ping, version, info."""

from datetime import UTC, datetime
from typing import Any

from sampan.engine.containers.machine_limits import missing
from sampan.faces.dockerapi import versions
from sampan.faces.dockerapi.call import Call, answer
from sampan.faces.dockerapi.facts import Facts
from sampan.faces.dockerapi.router import Route
from sampan.foundation.wire.message import Response

_LOG_DRIVERS = ("json-file", "local", "none")
_INDEX = {
    "Name": "docker.io",
    "Mirrors": [],
    "Secure": True,
    "Official": True,
}


async def ping(call: Call) -> Response:
    return Response(
        headers={
            "Content-Type": "text/plain; charset=utf-8",
            "Builder-Version": "2",
            "Swarm": "inactive",
            "Cache-Control": "no-cache, no-store, must-revalidate",
            "Pragma": "no-cache",
        },
        body=b"OK",
    )


async def version(call: Call) -> Response:
    facts = call.facts
    details = {
        "ApiVersion": versions.text(versions.MAXIMUM),
        "Arch": facts.architecture,
        "BuildTime": "",
        "Experimental": "false",
        "GitCommit": "",
        "GoVersion": f"python{facts.python}",
        "KernelVersion": facts.kernel,
        "MinAPIVersion": versions.text(versions.MINIMUM),
        "Os": "linux",
    }
    tree: dict[str, Any] = {
        "Platform": {"Name": "Sampan"},
        "Components": [{"Name": "Engine", "Version": facts.version, "Details": details}],
        "Version": facts.version,
        **{name: value for name, value in details.items() if name != "Experimental"},
    }
    return answer(tree)


async def info(call: Call) -> Response:
    facts = call.facts
    containers = await call.engine.containers.list()
    phases = [one.state.phase for one in containers]
    paused = phases.count("paused")
    running = sum(one.state.running for one in containers)
    tree: dict[str, Any] = {
        "ID": facts.identifier,
        "Containers": len(containers),
        "ContainersRunning": running - paused,
        "ContainersPaused": paused,
        "ContainersStopped": len(containers) - running,
        "Images": len(await call.engine.images.list()),
        "Driver": "overlay2",
        "DriverStatus": [list(pair) for pair in facts.storage],
        "Plugins": {
            "Volume": ["local"],
            "Network": ["bridge", "host", "ipvlan", "macvlan", "null"],
            "Authorization": None,
            "Log": list(_LOG_DRIVERS),
        },
        "SystemTime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        **_abilities(facts),
        **_machine(call),
        "Swarm": _no_swarm(),
        "Runtimes": {facts.runtime: {"path": facts.runtime}},
        "DefaultRuntime": facts.runtime,
        "InitBinary": "",
        "ContainerdCommit": _commit(call),
        "RuncCommit": _commit(call),
        "InitCommit": _commit(call),
        "Isolation": "",
        "LiveRestoreEnabled": True,
        "Warnings": list(missing(facts.limits)) or None,
        "CDISpecDirs": ["/etc/cdi", "/var/run/cdi"],
    }
    if call.version < (1, 50):
        tree |= {"BridgeNfIptables": False, "BridgeNfIp6tables": False}
    if call.version >= (1, 49):
        tree["FirewallBackend"] = {"Driver": "nftables"}
    return answer(tree)


def _commit(call: Call) -> dict[str, str]:
    """No part of Docker's is in use; old clients want something expected as well."""
    return {"ID": "", "Expected": ""} if call.version < (1, 49) else {"ID": ""}


def _abilities(facts: Facts) -> dict[str, Any]:
    limits = facts.limits
    return {
        "MemoryLimit": limits.memory,
        "SwapLimit": limits.accounts_swap,
        "CpuCfsPeriod": limits.cpu_time,
        "CpuCfsQuota": limits.cpu_time,
        "CPUShares": limits.cpu_shares,
        "CPUSet": limits.cpu_sets,
        "PidsLimit": limits.processes,
        "OomKillDisable": limits.out_of_memory_kill_disabled,
        # The first bridge turns it on, if nothing did.
        "IPv4Forwarding": True,
        "Debug": False,
        "NFd": 0,
        "NGoroutines": 0,
        "NEventsListener": 0,
        "LoggingDriver": _LOG_DRIVERS[0],
        "CgroupDriver": "cgroupfs",
        "ExperimentalBuild": False,
        "SecurityOptions": list(facts.security),
    }


def _machine(call: Call) -> dict[str, Any]:
    facts = call.facts
    insecure = ["::1/128", "127.0.0.0/8"]
    return {
        "CgroupVersion": str(facts.limits.version),
        "KernelVersion": facts.kernel,
        "OperatingSystem": facts.operating_system,
        "OSVersion": facts.operating_system_version,
        "OSType": "linux",
        "Architecture": facts.machine,
        "NCPU": facts.processors,
        "MemTotal": facts.memory,
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": {
            "InsecureRegistryCIDRs": insecure,
            "IndexConfigs": {"docker.io": {**_INDEX}},
            "Mirrors": [],
        },
        "GenericResources": None,
        "DockerRootDir": facts.state_folder,
        "HttpProxy": "",
        "HttpsProxy": "",
        "NoProxy": "",
        "Name": facts.name,
        "Labels": [],
        "ServerVersion": facts.version,
    }


def _no_swarm() -> dict[str, Any]:
    return {
        "NodeID": "",
        "NodeAddr": "",
        "LocalNodeState": "inactive",
        "ControlAvailable": False,
        "Error": "",
        "RemoteManagers": None,
    }


ROUTES = (
    Route("GET", "/_ping", ping),
    Route("HEAD", "/_ping", ping),
    Route("GET", "/version", version),
    Route("GET", "/info", info),
)
