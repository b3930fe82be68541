"""Puts together the folder that the demo image is built from, out of this machine's own files.

`/usr/bin/python3 -I -S gather.py FOLDER`

What it takes: the Python interpreter, the modules that the server and a curious visitor need
(compiled), a shell with a few commands, the shared libraries of them all, and the handful of
files in /etc by which names are looked up. The same machine gives the same folder each time.
"""

import importlib
import os
import py_compile
import shutil
import struct
import sys
import sysconfig
from pathlib import Path

MODULES = (
    "codecs encodings.idna encodings.latin_1 hashlib http.client json os select selectors"
    " signal socket stringprep struct sys threading time traceback urllib.parse urllib.request"
)
COMMANDS = "cat dash date dd echo env false head hostname id ls mkdir rm sleep true wc"
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
FOLDERS = ("dev", "proc", "root", "run", "sys", "tmp", "var", "usr/bin", "usr/lib", "usr/lib64")
LINKS = {"bin": "usr/bin", "sbin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64"}
MULTIARCH = sysconfig.get_config_var("MULTIARCH")
LIBRARY_FOLDERS = (Path("/lib") / MULTIARCH, Path("/usr/lib") / MULTIARCH, Path("/usr/lib"))
_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_NEEDED, _STRING_TABLE = 1, 5


class Program:
    """A 64-bit little-endian ELF file: which loader it names and which libraries it needs."""

    def __init__(self, path):
        self._content = path.read_bytes()
        start, size, count = self._numbers("<32xQ14xHH", 0)
        self._segments = [
            self._numbers("<I4xQQ8xQ", start + index * size) for index in range(count)
        ]

    def _numbers(self, form, offset):
        return struct.unpack_from(form, self._content, offset)

    def _text(self, offset):
        return self._content[offset : self._content.index(b"\0", offset)].decode()

    def _file_offset(self, address):
        for kind, offset, start, size in self._segments:
            if kind == _LOAD and start <= address < start + size:
                return offset + address - start
        raise ValueError(f"nothing is loaded at {address:#x}")

    @property
    def loader(self):
        """The path of its program interpreter, None for a library."""
        for kind, offset, _, _ in self._segments:
            if kind == _INTERPRETER:
                return self._text(offset)
        return None

    @property
    def libraries(self):
        """The names in its DT_NEEDED entries, in order."""
        needed, strings = [], 0
        for kind, offset, _, size in self._segments:
            if kind != _DYNAMIC:
                continue
            for tag, value in struct.iter_unpack("<qQ", self._content[offset : offset + size]):
                if tag == _NEEDED:
                    needed.append(value)
                elif tag == _STRING_TABLE:
                    strings = self._file_offset(value)
        return [self._text(strings + value) for value in needed]


def is_program(path):
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


class RootFilesystem:
    """The folder that is filled."""

    def __init__(self, folder):
        self._folder = folder
        self._has = set()
        for name in FOLDERS:
            (folder / name).mkdir(parents=True)
        (folder / "tmp").chmod(0o1777)
        for name, target in LINKS.items():
            (folder / name).symlink_to(target)
        for name, content in FILES.items():
            self._target(name).write_text(content)

    def _target(self, path):
        target = self._folder / str(path).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def add(self, path, name=None):
        """Copy a file, and all that it needs to be loaded, under its own name or another."""
        name = str(name or path)
        if name in self._has:
            return
        self._has.add(name)
        shutil.copy2(path, self._target(name))
        if not is_program(path):
            return
        program = Program(path)
        if program.loader:
            self.add(Path(program.loader))
        for library in program.libraries:
            self.add(find_library(library))

    def add_module(self, path):
        """A compiled module in the place of its source, or a library as it is."""
        if path.suffix != ".py":
            self.add(path)
            return
        py_compile.compile(
            str(path),
            cfile=str(self._target(path.with_suffix(".pyc"))),
            dfile=str(path),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )

    def link(self, name, target):
        self._target(name).symlink_to(target)


def find_library(name):
    for folder in LIBRARY_FOLDERS:
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"no {name} in {', '.join(map(str, LIBRARY_FOLDERS))}")


def module_files():
    """The files of MODULES and of everything that they import."""
    for name in MODULES.split():
        importlib.import_module(name)
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return sorted(Path(file) for file in files if file and file != __file__)


def gather(folder):
    """Make `folder` anew, with rootfs/ and what lies beside this script."""
    here = Path(__file__).parent
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("Dockerfile", "hello.py"):
        shutil.copy2(here / name, folder / name)
    root = RootFilesystem(folder / "rootfs")
    interpreter = Path(os.path.realpath("/usr/bin/python3"))
    root.add(interpreter)
    root.link("usr/bin/python3", interpreter.name)
    for path in module_files():
        root.add_module(path)
    for name in COMMANDS.split():
        root.add(Path("/usr/bin") / name)
    root.link("usr/bin/sh", "dash")


if __name__ == "__main__":
    gather(Path(sys.argv[1]))
