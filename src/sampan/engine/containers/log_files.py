"""How much of a container's output is kept: what its log driver and the driver's options mean.

All drivers that keep output write the one format of `engine.logs`, in parts that
`engine.log_rotation` sets aside.
"""

import re
import shutil
from pathlib import Path

from sampan.engine.containers.configuration import LogConfiguration
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.log_rotation import LogLimits

PERIOD_SECONDS = 5.0
_SIZE_LIMIT = 20 << 20
_SIZE = re.compile(r"(\d+)([bkmg]?)b?", re.IGNORECASE)
_UNITS = {"": 0, "b": 0, "k": 10, "m": 20, "g": 30}
_KNOWN = {"max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag"}
_KNOWN |= {"mode", "max-buffer-size"}


def log_limits(configuration: LogConfiguration) -> LogLimits | None:
    """What a driver and its options mean; None when nothing is kept.

    Raises InvalidConfiguration in Docker's words.
    """
    options = configuration.configuration or {}
    if configuration.kind == "none":
        return None
    kind = configuration.kind or "json-file"
    for name in options:
        if name not in _KNOWN:
            raise InvalidConfiguration(f"unknown log opt '{name[:60]}' for {kind} log driver")
    defaults = LogLimits(size=_SIZE_LIMIT, compress=kind == "local")
    files = options.get("max-file", str(defaults.files))
    if not files.isdecimal() or int(files) < 1:
        raise InvalidConfiguration("max-file cannot be less than 1")
    return LogLimits(
        size=_bytes(options["max-size"]) if "max-size" in options else defaults.size,
        files=int(files),
        compress=options["compress"] == "true" if "compress" in options else defaults.compress,
    )


def remove_logs(log: Path) -> None:
    """Delete a container's folder of logs; no error if there is none."""
    shutil.rmtree(log.parent, ignore_errors=True)


def _bytes(text: str) -> int:
    if text == "-1":
        return 1 << 62
    found = _SIZE.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise InvalidConfiguration(f"invalid max-size: '{text[:40]}'")
    return int(found[1]) << _UNITS[found[2].lower()]
