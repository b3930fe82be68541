"""The options of `sampan run` and `create`, read into the document that asks for a container.

They are read by hand: importing an option parser would take longer than a container does. Pure.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sampan.faces.cli.engine import option_values as values
from sampan.faces.cli.engine.wanted_container import UsageError, Wanted

_Setter = Callable[[Wanted, str, Mapping[str, str]], None]


def _take_text(text: str) -> str:
    return text


def _document(field: str, read: Callable[[str], Any] = _take_text) -> _Setter:
    def put(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
        wanted.document[field] = read(value)

    return put


def _host(field: str, read: Callable[[str], Any] = _take_text) -> _Setter:
    def put(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
        wanted.host[field] = read(value)

    return put


def _host_list(field: str, read: Callable[[str], Any] = _take_text) -> _Setter:
    def put(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
        wanted.host.setdefault(field, []).append(read(value))

    return put


def _health(field: str, read: Callable[[str], Any]) -> _Setter:
    def put(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
        wanted.document.setdefault("Healthcheck", {})[field] = read(value)

    return put


def _attribute(name: str) -> _Setter:
    def put(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
        setattr(wanted, name, value)

    return put


def _host_map(field: str, separator: str = "=") -> _Setter:
    def put(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
        name, _separator, content = value.partition(separator)
        wanted.host.setdefault(field, {})[name] = content

    return put


def _environment(wanted: Wanted, value: str, environment: Mapping[str, str]) -> None:
    wanted.document.setdefault("Env", []).extend(values.variables(value, environment))


def _environment_file(wanted: Wanted, value: str, environment: Mapping[str, str]) -> None:
    for line in values.lines_of(value):
        _environment(wanted, line, environment)


def _label(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
    name, _separator, content = value.partition("=")
    wanted.document.setdefault("Labels", {})[name] = content


def _label_file(wanted: Wanted, value: str, environment: Mapping[str, str]) -> None:
    for line in values.lines_of(value):
        _label(wanted, line, environment)


def _volume(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
    bind = values.bind(value)
    if ":" in bind:
        wanted.host.setdefault("Binds", []).append(bind)
    else:
        wanted.document.setdefault("Volumes", {})[bind] = {}


def _publish(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
    for port, binding in values.published(value):
        wanted.document.setdefault("ExposedPorts", {})[port] = {}
        wanted.host.setdefault("PortBindings", {}).setdefault(port, []).append(binding)


def _expose(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
    ports, _slash, protocol = value.partition("/")
    for port in values.port_range(ports):
        wanted.document.setdefault("ExposedPorts", {})[f"{port}/{protocol or 'tcp'}"] = {}


def _network(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
    name, settings = values.network(value)
    if "NetworkMode" not in wanted.host:
        wanted.host["NetworkMode"] = "bridge" if name == "default" else name
        wanted.endpoint.update(settings)
    else:
        wanted.further_endpoints[name] = settings


def _attach(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
    if value.lower() not in ("stdin", "stdout", "stderr"):
        raise ValueError(value)
    wanted.streams.add(value.lower())


def _link(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
    wanted.host.setdefault("Links", []).append(value)


def _alias(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
    wanted.endpoint.setdefault("Aliases", []).append(value)


def _address(field: str) -> _Setter:
    def put(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
        wanted.endpoint.setdefault("IPAMConfig", {})[field] = value

    return put


def _link_local_address(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
    addresses = wanted.endpoint.setdefault("IPAMConfig", {})
    addresses.setdefault("LinkLocalIPs", []).append(value)


def _mac_address(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
    wanted.endpoint["MacAddress"] = value


def _entrypoint(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
    wanted.document["Entrypoint"] = [value] if value else [""]


def _cpus(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
    wanted.host["NanoCpus"] = int(float(value) * 10**9)


def _health_command(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
    wanted.document.setdefault("Healthcheck", {})["Test"] = ["CMD-SHELL", value]


def _log_driver(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
    wanted.host.setdefault("LogConfig", {})["Type"] = value


def _log_option(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
    name, _separator, content = value.partition("=")
    wanted.host.setdefault("LogConfig", {}).setdefault("Config", {})[name] = content


def _pull(wanted: Wanted, value: str, _: Mapping[str, str]) -> None:
    if value not in ("always", "missing", "never"):
        raise ValueError(value)
    wanted.pull = value


SETTERS: dict[str, _Setter] = {
    "--add-host": _host_list("ExtraHosts"),
    "--annotation": _host_map("Annotations"),
    "--attach": _attach,
    "--blkio-weight": _host("BlkioWeight", int),
    "--blkio-weight-device": _host_list("BlkioWeightDevice", values.device_weight),
    "--cap-add": _host_list("CapAdd"),
    "--cap-drop": _host_list("CapDrop"),
    "--cgroup-parent": _host("CgroupParent"),
    "--cgroupns": _host("CgroupnsMode"),
    "--cidfile": _attribute("identifier_file"),
    "--cpu-period": _host("CpuPeriod", int),
    "--cpu-quota": _host("CpuQuota", int),
    "--cpu-rt-period": _host("CpuRealtimePeriod", int),
    "--cpu-rt-runtime": _host("CpuRealtimeRuntime", int),
    "--cpu-shares": _host("CpuShares", int),
    "--cpus": _cpus,
    "--cpuset-cpus": _host("CpusetCpus"),
    "--cpuset-mems": _host("CpusetMems"),
    "--detach-keys": _attribute("detach_keys"),
    "--device": _host_list("Devices", values.device),
    "--device-cgroup-rule": _host_list("DeviceCgroupRules"),
    "--device-read-bps": _host_list("BlkioDeviceReadBps", values.device_rate),
    "--device-read-iops": _host_list("BlkioDeviceReadIOps", values.device_rate),
    "--device-write-bps": _host_list("BlkioDeviceWriteBps", values.device_rate),
    "--device-write-iops": _host_list("BlkioDeviceWriteIOps", values.device_rate),
    "--dns": _host_list("Dns"),
    "--dns-option": _host_list("DnsOptions"),
    "--dns-search": _host_list("DnsSearch"),
    "--domainname": _document("Domainname"),
    "--entrypoint": _entrypoint,
    "--env": _environment,
    "--env-file": _environment_file,
    "--expose": _expose,
    "--gpus": _host_list("DeviceRequests", values.gpus),
    "--group-add": _host_list("GroupAdd"),
    "--health-cmd": _health_command,
    "--health-interval": _health("Interval", values.duration),
    "--health-retries": _health("Retries", int),
    "--health-start-interval": _health("StartInterval", values.duration),
    "--health-start-period": _health("StartPeriod", values.duration),
    "--health-timeout": _health("Timeout", values.duration),
    "--hostname": _document("Hostname"),
    "--ip": _address("IPv4Address"),
    "--ip6": _address("IPv6Address"),
    "--ipc": _host("IpcMode"),
    "--isolation": _host("Isolation"),
    "--label": _label,
    "--label-file": _label_file,
    "--link": _link,
    "--link-local-ip": _link_local_address,
    "--log-driver": _log_driver,
    "--log-opt": _log_option,
    "--mac-address": _mac_address,
    "--memory": _host("Memory", values.size),
    "--memory-reservation": _host("MemoryReservation", values.size),
    "--memory-swap": _host("MemorySwap", values.size_or_unlimited),
    "--memory-swappiness": _host("MemorySwappiness", int),
    "--mount": _host_list("Mounts", values.mount),
    "--name": _attribute("name"),
    "--network": _network,
    "--network-alias": _alias,
    "--oom-score-adj": _host("OomScoreAdj", int),
    "--pid": _host("PidMode"),
    "--pids-limit": _host("PidsLimit", int),
    "--platform": _attribute("platform"),
    "--publish": _publish,
    "--pull": _pull,
    "--restart": _host("RestartPolicy", values.restart_policy),
    "--runtime": _host("Runtime"),
    "--security-opt": _host_list("SecurityOpt"),
    "--shm-size": _host("ShmSize", values.size),
    "--stop-signal": _document("StopSignal"),
    "--stop-timeout": _document("StopTimeout", int),
    "--storage-opt": _host_map("StorageOpt"),
    "--sysctl": _host_map("Sysctls"),
    "--tmpfs": _host_map("Tmpfs", ":"),
    "--ulimit": _host_list("Ulimits", values.ulimit),
    "--user": _document("User"),
    "--userns": _host("UsernsMode"),
    "--uts": _host("UTSMode"),
    "--volume": _volume,
    "--volume-driver": _host("VolumeDriver"),
    "--volumes-from": _host_list("VolumesFrom"),
    "--workdir": _document("WorkingDir"),
}


def _truth(owner: str, field: str, value: Any = True) -> Callable[[Wanted, bool], None]:
    def put(wanted: Wanted, chosen: bool) -> None:
        target = wanted.host if owner == "host" else wanted.document
        target[field] = value if value is not True else chosen

    return put


def _decision(name: str) -> Callable[[Wanted, bool], None]:
    def put(wanted: Wanted, chosen: bool) -> None:
        setattr(wanted, name, chosen)

    return put


FLAGS: dict[str, Callable[[Wanted, bool], None]] = {
    "--detach": _decision("detached"),
    "--init": _truth("host", "Init"),
    "--interactive": _truth("document", "OpenStdin"),
    "--no-healthcheck": _truth("document", "Healthcheck", {"Test": ["NONE"]}),
    "--oom-kill-disable": _truth("host", "OomKillDisable"),
    "--privileged": _truth("host", "Privileged"),
    "--publish-all": _truth("host", "PublishAllPorts"),
    "--quiet": _decision("quiet"),
    "--read-only": _truth("host", "ReadonlyRootfs"),
    "--rm": _truth("host", "AutoRemove"),
    "--sig-proxy": _decision("passes_signals"),
    "--tty": _truth("document", "Tty"),
}
SHORT = {
    "-a": "--attach",
    "-P": "--publish-all",
    "-c": "--cpu-shares",
    "-d": "--detach",
    "-e": "--env",
    "-h": "--hostname",
    "-i": "--interactive",
    "-l": "--label",
    "-m": "--memory",
    "-p": "--publish",
    "-q": "--quiet",
    "-t": "--tty",
    "-u": "--user",
    "-v": "--volume",
    "-w": "--workdir",
}
# Taken as docker takes them, and without a meaning here as there.
for _meaningless in ("--disable-content-trust",):
    FLAGS[_meaningless] = lambda _wanted, _chosen: None
_OTHER_NAMES = {"--net": "--network", "--net-alias": "--network-alias", "--dns-opt": "--dns-option"}


def parse(arguments: list[str], environment: Mapping[str, str]) -> Wanted | None:
    """What the words ask for; None when it is help. Raises UsageError."""
    wanted, rest = Wanted(), list(arguments)
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "--"):
        word = rest.pop(0)
        if word == "--help":
            return None
        if word.startswith("--"):
            _take(*_divided(word), rest, wanted, environment)
        else:
            _take_letters(word[1:], rest, wanted, environment)
    if rest[:1] == ["--"]:
        rest.pop(0)
    if not rest:
        raise UsageError("name an image: sampan run [OPTIONS] IMAGE [COMMAND...]", 1)
    wanted.document["Image"] = rest[0]
    if rest[1:]:
        wanted.document["Cmd"] = rest[1:]
    _complete(wanted)
    return wanted


def _complete(wanted: Wanted) -> None:
    document = wanted.document
    if wanted.detached and wanted.streams:
        raise UsageError("conflicting options: cannot specify both --attach and --detach")
    attached = {"stdout", "stderr"} if not (wanted.detached or wanted.streams) else wanted.streams
    document |= {"AttachStdout": "stdout" in attached, "AttachStderr": "stderr" in attached}
    if document.get("OpenStdin"):
        reads = not wanted.detached and (not wanted.streams or "stdin" in wanted.streams)
        document |= {"AttachStdin": reads, "StdinOnce": reads}
    mode = wanted.host.get("NetworkMode", "bridge")
    endpoints = {mode: wanted.endpoint} if wanted.endpoint else {}
    if wanted.further_endpoints:
        endpoints = {mode: wanted.endpoint, **wanted.further_endpoints}
    if endpoints:
        document["NetworkingConfig"] = {"EndpointsConfig": endpoints}


def _divided(word: str) -> tuple[str, str | None]:
    name, equals, value = word.partition("=")
    return _OTHER_NAMES.get(name, name), value if equals else None


def _take_letters(
    letters: str, rest: list[str], wanted: Wanted, environment: Mapping[str, str]
) -> None:
    """`-it` is two flags; the value of a letter may stand right behind it."""
    while letters:
        name, letters = SHORT.get(f"-{letters[0]}", f"-{letters[0]}"), letters[1:]
        if name in FLAGS:
            _take(name, None, rest, wanted, environment)
            continue
        _take(name, letters.removeprefix("=") if letters else None, rest, wanted, environment)
        return


def _take(
    name: str,
    value: str | None,
    rest: list[str],
    wanted: Wanted,
    environment: Mapping[str, str],
) -> None:
    try:
        if name in FLAGS:
            FLAGS[name](wanted, True if value is None else values.flag(value))
            return
        setter = SETTERS.get(name)
        if setter is None:
            raise UsageError(
                f"there is no option {name}; 'sampan run --help' shows those there are"
            )
        if value is None:
            if not rest:
                raise UsageError(f"option {name} needs a value")
            value = rest.pop(0)
        setter(wanted, value, environment)
    except ValueError as error:
        raise UsageError(f"{value!r} is not a valid value of {name}") from error
