"""The `--mount` flags of RUN: what is to appear where while the command runs. Pure.

Source: the Dockerfile reference, "RUN --mount".
"""

import posixpath
import re
from collections.abc import Callable
from typing import Literal, cast

import msgspec

from sampan.engine.build.dockerfile import Instruction
from sampan.engine.build.errors import InvalidDockerfile

Kind = Literal["bind", "cache", "tmpfs", "secret", "ssh"]
Sharing = Literal["shared", "private", "locked"]

_KINDS = ("bind", "cache", "tmpfs", "secret", "ssh")
_SHARING = ("shared", "private", "locked")
_COMMON = {"type", "target", "dst", "destination"}
_WRITABLE = {"readonly", "ro", "rw", "readwrite"}
_OWNED = {"id", "mode", "uid", "gid"}
_KEYS: dict[str, set[str]] = {
    "bind": _COMMON | _WRITABLE | {"source", "src", "from"},
    "cache": _COMMON | _WRITABLE | _OWNED | {"source", "src", "from", "sharing"},
    "tmpfs": _COMMON | {"size"},
    "secret": _COMMON | _OWNED | {"required", "env"},
    "ssh": _COMMON | _OWNED | {"required"},
}
_SIZE = re.compile(r"([0-9]{1,15})([bkmgt]?)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SECRETS = "/run/secrets"


class RunMount(msgspec.Struct, frozen=True, kw_only=True):
    """`origin` is a stage, image or named context, "" for the build's context (`bind`) or an
    empty folder (`cache`); `source` a path in it. An `environment` names the variable that a
    secret goes into; without a `target` it goes nowhere else."""

    kind: Kind
    target: str
    origin: str = ""
    source: str = ""
    identifier: str = ""
    read_only: bool = False
    sharing: Sharing = "shared"
    size: int = 0
    mode: int
    uid: int = 0
    gid: int = 0
    required: bool = False
    environment: str = ""


def parse_run_mounts(
    instruction: Instruction, expand: Callable[[str], str], folder: str
) -> tuple[RunMount, ...]:
    """Relative targets are below `folder`. Raises InvalidDockerfile."""
    line = instruction.line
    return tuple(
        _mount(_fields(text, expand, line), folder, line)
        for text in instruction.flag_values("mount")
    )


def _fields(text: str, expand: Callable[[str], str], line: int) -> dict[str, str]:
    fields: dict[str, str] = {}
    for field in text.split(","):
        key, equals, value = field.strip().partition("=")
        key = key.lower()
        if not equals and key not in {"readonly", "ro", "rw", "readwrite", "required"}:
            raise InvalidDockerfile(f"invalid field '{field[:60]}' must be a key=value pair", line)
        fields[key] = expand(value) if equals else "true"
    return fields


def _mount(fields: dict[str, str], folder: str, line: int) -> RunMount:
    kind = fields.get("type", "bind")
    if kind not in _KINDS:
        raise InvalidDockerfile(f'unsupported mount type "{kind[:40]}"', line)
    for key in fields:
        if key not in _KEYS[kind]:
            raise InvalidDockerfile(f"unexpected key '{key[:40]}' for mount type '{kind}'", line)
    target = fields.get("target") or fields.get("dst") or fields.get("destination") or ""
    sharing = fields.get("sharing", "shared")
    if sharing not in _SHARING:
        raise InvalidDockerfile(f'unsupported sharing value "{sharing[:40]}"', line)
    identifier = fields.get("id", "")
    if kind in ("bind", "cache", "tmpfs") and not target:
        raise InvalidDockerfile(f'{kind} mount requires target ("target=/path")', line)
    if kind == "secret":
        identifier = identifier or posixpath.basename(target)
        if not identifier:
            raise InvalidDockerfile("one of id or target must be set for a secret mount", line)
        if not target and "env" not in fields:
            target = f"{_SECRETS}/{identifier}"
    return RunMount(
        kind=cast(Kind, kind),
        target=posixpath.normpath(posixpath.join(folder, target)) if target else "",
        origin=fields.get("from", ""),
        source=fields.get("source") or fields.get("src") or "",
        identifier=identifier or (posixpath.normpath(target) if target else ""),
        read_only=_is_read_only(fields, kind, line),
        sharing=cast(Sharing, sharing),
        size=_size(fields.get("size", ""), line),
        mode=_mode(fields.get("mode", ""), kind, line),
        uid=_number(fields.get("uid", "0"), "uid", line),
        gid=_number(fields.get("gid", "0"), "gid", line),
        required=_truth(fields.get("required", "false"), "required", line),
        environment=fields.get("env", ""),
    )


def _is_read_only(fields: dict[str, str], kind: str, line: int) -> bool:
    for key in ("readonly", "ro"):
        if key in fields:
            return _truth(fields[key], key, line)
    for key in ("rw", "readwrite"):
        if key in fields:
            return not _truth(fields[key], key, line)
    return kind == "bind"


def _truth(text: str, key: str, line: int) -> bool:
    if text.lower() in ("true", "1"):
        return True
    if text.lower() in ("false", "0"):
        return False
    raise InvalidDockerfile(f"invalid value for {key}: {text[:40]}", line)


def _mode(text: str, kind: str, line: int) -> int:
    if not text:
        return {"secret": 0o400, "ssh": 0o600}.get(kind, 0o755)
    if len(text) > 5 or set(text) - set("01234567"):
        raise InvalidDockerfile(f"invalid value {text[:40]} for mode", line)
    return int(text, 8)


def _number(text: str, key: str, line: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) < 2**32 - 1):
        raise InvalidDockerfile(f"invalid value {text[:40]} for {key}", line)
    return int(text)


def _size(text: str, line: int) -> int:
    if not text:
        return 0
    match = _SIZE.fullmatch(text)
    if match is None:
        raise InvalidDockerfile(f"invalid value for size: {text[:40]}", line)
    return int(match[1]) * _UNITS[match[2].lower()]
