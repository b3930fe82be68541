"""A small virtual machine with Debian's cloud kernel, emulated, whose files are this machine's.

Its root is one archive in memory: the interpreter, this tree, crun, conmon, a few programs. It
has one hierarchy of control groups, version 2, as most machines have. Formats: the kernel's
driver-api/early-userspace/buffer-format (newc archives).
"""

import os
import shutil
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

import gathering
import isolation  # noqa: F401 - what the tests inside import is then imported here, too

import sampan.engine.networks.container_networks
import sampan.engine.volumes.local_volumes  # noqa: F401

TREE = Path(__file__).resolve().parents[3]
_KERNELS = TREE / ".cache" / "guest-kernel"
_PACKAGE = "linux-image-cloud-amd64"
# Each after those that it needs.
_MODULES = (
    *("overlay.ko", "loop.ko", "quota_tree.ko", "quota_v2.ko", "libcrc32c.ko", "xfs.ko"),
    *("nfnetlink.ko", "nf_defrag_ipv4.ko", "nf_defrag_ipv6.ko", "nf_conntrack.ko", "nf_nat.ko"),
    *("nf_tables.ko", "nft_chain_nat.ko", "nft_nat.ko", "nft_ct.ko"),
    *("veth.ko", "dummy.ko", "macvlan.ko", "ipvlan.ko"),
    *("llc.ko", "stp.ko", "garp.ko", "mrp.ko", "8021q.ko"),
)
_PROGRAMS = (
    *gathering.PROGRAMS,
    *("/usr/bin/crun", "/usr/bin/conmon", "/usr/sbin/losetup", "/usr/bin/ldd", "/usr/bin/bash"),
    *("/usr/bin/tini-static", "/usr/lib/x86_64-linux-gnu/libseccomp.so.2"),
    *("/usr/sbin/mkfs.ext4", "/usr/sbin/mkfs.xfs", "/usr/bin/umount"),
    *("/usr/lib/x86_64-linux-gnu/libnftables.so.1",),
)
_NOT_NEEDED = frozenset(
    ("test", "idlelib", "tkinter", "ensurepip", "lib2to3", "turtledemo", "site-packages")
)
_IMPORTED_LATER = frozenset(("yaml",))
_MERGED = ("bin", "sbin", "lib", "lib64")
_FOLDERS = ("dev", "proc", "sys", "run", "tmp", "var", "root", "newroot", "etc/cdi")
_MEMORY = "1200M"


class Unavailable(Exception):
    """What the machine is made with isn't here."""


def kernel_files() -> tuple[Path, list[Path]]:
    """The kernel and the modules that are needed. Raises Unavailable."""
    folder = _KERNELS / "files"
    if not folder.exists():
        _unpack(_package(), folder)
    kernel = next(folder.glob("boot/vmlinuz-*"))
    modules = [next(folder.glob(f"lib/modules/*/kernel/**/{name}")) for name in _MODULES]
    return kernel, modules


def _package() -> Path:
    _KERNELS.mkdir(parents=True, exist_ok=True)
    try:
        listed = subprocess.run(
            ("apt-cache", "depends", _PACKAGE),
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout
        name = next(
            word for word in listed.split() if word.startswith("linux-image-") and word != _PACKAGE
        )
        subprocess.run(
            ("apt-get", "download", name), cwd=_KERNELS, capture_output=True, timeout=60, check=True
        )
        return next(_KERNELS.glob("linux-image-*.deb"))
    except (OSError, StopIteration, subprocess.SubprocessError) as error:
        raise Unavailable(f"the package {_PACKAGE} can't be had: {error}") from error


def _unpack(package: Path, folder: Path) -> None:
    fresh = folder.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    subprocess.run(("dpkg-deb", "-x", str(package), str(fresh)), check=True, timeout=60)
    fresh.rename(folder)


def run_inside(folder: Path, arguments: Iterable[str], seconds: float) -> tuple[int, str]:
    """Boot and run pytest with these arguments inside: its exit code and all that was said.

    The code is -1 when the machine didn't come to that. Raises Unavailable.
    """
    emulator = shutil.which("qemu-system-x86_64")
    if emulator is None:
        raise Unavailable("qemu-system-x86_64 isn't installed (package qemu-system-x86)")
    kernel, modules = kernel_files()
    archive = folder / "root.cpio"
    write_archive(archive, guest_files(modules, arguments))
    said = folder / "console"
    command = (
        *(emulator, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"),
        *("-m", _MEMORY, "-kernel", str(kernel), "-initrd", str(archive)),
        *("-append", "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on"),
        *("-serial", f"file:{said}"),
    )
    try:
        subprocess.run(command, check=False, timeout=seconds, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return -1, said.read_text(errors="replace") + "\nthe time is over"
    text = said.read_text(errors="replace")
    _, found, code = text.rpartition("guest-result=")
    return (int(code.split()[0]) if found else -1), text


def guest_files(modules: Iterable[Path], arguments: Iterable[str]) -> dict[str, Path | bytes]:
    """Paths in the guest, and the files or the bytes that they hold."""
    files: dict[str, Path | bytes] = {}
    for program in _PROGRAMS:
        if Path(program).exists():
            files[program.lstrip("/")] = Path(program)
            files.update((each.lstrip("/"), Path(each)) for each in gathering.libraries_of(program))
    files.update(_interpreter())
    for folder in (TREE / "src", TREE / "tests/real/engine"):
        files.update((str(path).lstrip("/"), path) for path in _files_below(folder))
    files.update((str(path).lstrip("/"), path) for path in (TREE / "tests/real").glob("*.py"))
    files["etc/passwd"] = gathering.ACCOUNTS["etc/passwd"].encode()
    files["etc/group"] = gathering.ACCOUNTS["etc/group"].encode()
    files.update((f"modules/{number:02}", path) for number, path in enumerate(modules))
    files["arguments"] = "\n".join(arguments).encode()
    init = f"#!{_executable()} -B\n" + (Path(__file__).parent / "guest_init.py").read_text()
    files["init"] = init.encode()
    return files


def _executable() -> Path:
    return Path(sys.executable).resolve()


def _interpreter() -> dict[str, Path]:
    """The interpreter, its library, the packages, and what all of them load."""
    library, packages = Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib"))
    files = {str(path): path for path in (_executable(), *_files_below(library))}
    for path in _package_files(packages):
        files[f"{library}/site-packages/{path.relative_to(packages)}"] = path
    loading = [path for path in files.values() if ".so" in path.suffixes or path == _executable()]
    for path in loading:
        files.update((each, Path(each)) for each in gathering.libraries_of(str(path)))
    return {name.lstrip("/"): path for name, path in files.items()}


def _package_files(packages: Path) -> Iterator[Path]:
    """Of every package that this process has imported, which runs the same tests."""
    for name in sorted({module.partition(".")[0] for module in sys.modules} | _IMPORTED_LATER):
        if (packages / name).is_dir():
            yield from _files_below(packages / name)
        yield from packages.glob(f"{name}.py")
        yield from packages.glob(f"{name}.*.so")


def _files_below(folder: Path) -> Iterator[Path]:
    for path, folders, names in os.walk(folder):
        folders[:] = [
            name for name in folders if name not in _NOT_NEEDED and not name.startswith("config-")
        ]
        yield from (
            Path(path, name)
            for name in names
            if not name.endswith((".a", ".opt-1.pyc", ".opt-2.pyc"))
        )


def write_archive(target: Path, files: dict[str, Path | bytes]) -> None:
    """The files, and the folders above them, as a newc archive; /bin and its like are in /usr."""
    merged = {
        f"usr/{name}" if name.partition("/")[0] in _MERGED else name: content
        for name, content in files.items()
    }
    folders = {f"{parent}" for name in merged for parent in Path(name).parents if parent.name}
    folders.update(_FOLDERS)
    with target.open("wb") as out:
        for name in sorted(folders, key=lambda name: (name.count("/"), name)):
            out.write(_entry(name, stat.S_IFDIR | 0o755, b""))
        for name in _MERGED:
            out.write(_entry(name, stat.S_IFLNK | 0o777, f"usr/{name}".encode()))
        out.write(_entry("usr/bin/sh", stat.S_IFLNK | 0o777, b"dash"))
        for name, content in merged.items():
            if isinstance(content, bytes):
                out.write(_entry(name, stat.S_IFREG | 0o755, content))
            else:
                # Compiled modules are good for a source of the same time only.
                time = int(content.stat().st_mtime)
                out.write(_entry(name, stat.S_IFREG | 0o755, content.read_bytes(), time))
        out.write(_entry("TRAILER!!!", 0, b""))


def _entry(name: str, mode: int, data: bytes, time: int = 0) -> bytes:
    encoded = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, time, len(data), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return _padded(head) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
