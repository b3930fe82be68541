"""How a container's output is kept: what its log driver and the driver's options mean, and where.

`json-file` keeps Docker's lines, which are made of what the monitor writes; `local` keeps what
the monitor writes, in parts that `engine.log_rotation` sets aside; `none` keeps nothing. The
texts of what is refused are Docker's.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from sampan.engine.containers import log_attributes
from sampan.engine.containers.configuration import LogConfiguration
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.log_rotation import LogLimits
from sampan.engine.sizes import size_in_bytes

PERIOD_SECONDS = 5.0
JSON_FILE, LOCAL, NONE = "json-file", "local", "none"
_SIZE_LIMIT = 20 << 20
_NO_LIMIT = 1 << 62
_KNOWN = {
    JSON_FILE: {
        *("max-file", "max-size", "compress", "labels", "labels-regex", "env", "env-regex", "tag")
    },
    LOCAL: {"max-file", "max-size", "compress"},
}
_UNKNOWN_OPTION = {
    JSON_FILE: "unknown log opt '{}' for json-file log driver",
    LOCAL: "unknown log opt '{}' for log driver local",
}
_EVERY_DRIVERS = {"mode", "max-buffer-size"}
_TRUE, _FALSE = {"1", "t", "T", "TRUE", "true", "True"}, {"0", "f", "F", "FALSE", "false", "False"}


def log_limits(configuration: LogConfiguration) -> LogLimits | None:
    """What a driver and its options mean; None when nothing is kept.

    Raises InvalidConfiguration in Docker's words.
    """
    options = configuration.configuration or {}
    kind = configuration.kind or JSON_FILE
    if kind == NONE:
        return None
    _check(kind, options)
    defaults = LogLimits(size=_SIZE_LIMIT, compress=kind == LOCAL)
    compress = _flag(options["compress"]) if "compress" in options else defaults.compress
    files = _files(options["max-file"]) if "max-file" in options else defaults.files
    size = _size(options["max-size"], kind) if "max-size" in options else defaults.size
    if compress and "compress" in options and files < 2:
        raise _refused(
            "compress cannot be true when max-file is less than 2 or max-size is not set"
        )
    return LogLimits(size=size, files=files, compress=compress)


def spool(folder: Path) -> Path:
    """What the monitor writes."""
    return folder / "output.log"


def json_log_file(folder: Path, identifier: str) -> Path:
    """What is made of it for people."""
    return folder / f"{identifier}-json.log"


def shown_log(folder: Path, identifier: str, kind: str) -> str:
    """What people may read; "" for a driver whose files are its own affair."""
    return str(json_log_file(folder, identifier)) if kind == JSON_FILE else ""


def remove_logs(folder: Path) -> None:
    """Delete a container's folder of logs; no error if there is none."""
    shutil.rmtree(folder, ignore_errors=True)


def _check(kind: str, options: Mapping[str, str]) -> None:
    mode = options.get("mode", "")
    if mode not in ("", "blocking", "non-blocking"):
        raise InvalidConfiguration(f"logger: logging mode not supported: {mode[:60]}")
    if "max-buffer-size" in options:
        if mode != "non-blocking":
            raise InvalidConfiguration(
                "logger: max-buffer-size option is only supported with 'mode=non-blocking'"
            )
        if size_in_bytes(options["max-buffer-size"], 1024) is None:
            raise InvalidConfiguration(
                "error parsing option max-buffer-size: invalid size: "
                f"'{options['max-buffer-size'][:40]}'"
            )
    if kind not in _KNOWN:
        raise InvalidConfiguration(f"logger: no log driver named '{kind[:60]}' is registered")
    for name in options:
        if name not in _KNOWN[kind] | _EVERY_DRIVERS:
            raise InvalidConfiguration(_UNKNOWN_OPTION[kind].format(name[:60]))
    log_attributes.check_patterns(options)
    log_attributes.check_tag(options.get("tag", ""))


def _flag(text: str) -> bool:
    if text not in _TRUE | _FALSE:
        raise _refused(f'strconv.ParseBool: parsing "{text[:40]}": invalid syntax')
    return text in _TRUE


def _files(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,9}", text):
        raise _refused(f'strconv.Atoi: parsing "{text[:40]}": invalid syntax')
    if int(text) < 1:
        raise _refused("max-file cannot be less than 1")
    return int(text)


def _size(text: str, kind: str) -> int:
    """Decimal units for json-file, binary ones for local, as with Docker; -1 is no limit."""
    if text == "-1":
        return _NO_LIMIT
    size = size_in_bytes(text, 1000 if kind == JSON_FILE else 1024)
    if size is None:
        raise _refused(f"invalid size: '{text[:40]}'")
    if size == 0:
        raise _refused("max-size must be a positive number")
    return size


def _refused(why: str) -> InvalidConfiguration:
    return InvalidConfiguration(f"failed to initialize logging driver: {why}")
