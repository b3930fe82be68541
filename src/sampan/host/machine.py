"""Facts about the machine: what it has and what runs on it. Only read, never changed."""

import os
from pathlib import Path

import msgspec


class MachineFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`processors` counts those that this process may use; `memory` is in bytes."""

    processors: int
    memory: int
    kernel_release: str
    architecture: str
    operating_system: str
    machine_identifier: str
    boot_identifier: str


_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def machine_facts(root: Path = Path("/")) -> MachineFacts:
    """Read them from `root`'s /proc and /etc; what a machine doesn't tell is empty."""
    system = os.uname()
    return MachineFacts(
        processors=len(os.sched_getaffinity(0)),
        memory=_total_memory((root / "proc/meminfo").read_text()),
        kernel_release=system.release,
        architecture=_ARCHITECTURES.get(system.machine, system.machine),
        operating_system=_pretty_name(_text(root / "etc/os-release")),
        machine_identifier=_text(root / "etc/machine-id"),
        boot_identifier=_text(root / "proc/sys/kernel/random/boot_id"),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""


def _total_memory(meminfo: str) -> int:
    for line in meminfo.splitlines():
        name, _, value = line.partition(":")
        if name == "MemTotal":
            return int(value.split()[0]) * 1024
    raise ValueError("no MemTotal in /proc/meminfo")


def _pretty_name(release: str) -> str:
    for line in release.splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip('"')
    return "Linux"
