"""What the parts tell about themselves: their log lines.

A log line is one line of `name=value` pairs, whatever is in the values: newlines and control
characters are escaped, long lines are cut, and what looks like a secret is left out. Code logs
with the standard library (`logging.getLogger("sampan.store")`), a constant message, and the
facts in `extra`. Knows nothing of who logs.
"""

import json
import logging
import re
import time
from typing import Any, TextIO

_LONGEST_LINE = 8 * 1024
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_BARE = re.compile(r"[A-Za-z0-9_./:@+-]+")
_SECRET_FIELD = re.compile(r"token|password|secret|authorization|private_key", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]+"  # a signed token
    r"|(?<=bearer )\S+"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    re.IGNORECASE | re.DOTALL,
)
_REDACTED = "[redacted]"


class LineFormatter(logging.Formatter):
    """Formats a record as one line: time, level, component, logger, message, then the facts."""

    def __init__(self, component: str) -> None:
        super().__init__()
        self._component = component

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": _timestamp(record.created),
            "level": record.levelname.lower(),
            "component": self._component,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD_FIELDS:
                fields[name] = _REDACTED if _SECRET_FIELD.search(name) else value
        if record.exc_info and record.exc_info[0] is not None:
            fields["exception"] = self.formatException(record.exc_info)
        line = " ".join(f"{name}={_text(value)}" for name, value in fields.items())
        return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 3] + "..."


def set_up_logging(component: str, stream: TextIO, level: int = logging.INFO) -> None:
    """Send every log line of this process to `stream`, as `component`; replaces what was set."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter(component))
    root = logging.getLogger()
    for old in tuple(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)


def _timestamp(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"


def _text(value: object) -> str:
    text = _SECRET_TEXT.sub(_REDACTED, str(value))
    return text if _BARE.fullmatch(text) else json.dumps(text)
