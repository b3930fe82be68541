"""What a container's log options have each line of its log tell beside the output: pure.

The rules are Docker's: `labels` and `env` name what is told, `labels-regex` and `env-regex` match
names, `tag` is a template of a few words about the container.
"""

import re
from collections.abc import Callable, Iterable, Mapping

from sampan.engine.containers.record import ContainerRecord
from sampan.engine.contract import InvalidConfiguration

_SHORT = 12
_FIELD = re.compile(r"\{\{\s*\.([A-Za-z]+)\s*\}\}")


def attributes_of(record: ContainerRecord) -> dict[str, str]:
    """By name, in their order. Raises InvalidConfiguration for a tag that can't be read."""
    options = record.host.log_configuration.configuration or {}
    labels = record.configuration.labels or {}
    entries = (entry.partition("=") for entry in record.configuration.environment or ())
    variables = {name: value for name, _, value in entries}
    found = _chosen(labels, options.get("labels", ""), options.get("labels-regex", ""))
    found |= _chosen(variables, options.get("env", ""), options.get("env-regex", ""))
    if tag := options.get("tag", ""):
        found["tag"] = _tag(tag, record)
    return dict(sorted(found.items()))


def check_patterns(options: Mapping[str, str]) -> None:
    """Raises InvalidConfiguration for what is no expression."""
    for name in ("labels-regex", "env-regex"):
        try:
            re.compile(options.get(name, ""))
        except re.error as error:
            raise InvalidConfiguration(f"error parsing regexp: {error}") from error


def check_tag(tag: str) -> None:
    """Raises InvalidConfiguration for a template with a word that there is not."""
    left = _FIELD.sub(lambda match: "" if match[1] in _FIELDS else match[0], tag)
    if "{{" in left:
        raise InvalidConfiguration(f"failed to initialize logging driver: template: log-tag: {tag}")


def _chosen(values: Mapping[str, str], names: str, pattern: str) -> dict[str, str]:
    wanted: Iterable[str] = names.split(",") if names else ()
    found = {name: values[name] for name in wanted if name in values}
    if pattern:
        expression = re.compile(pattern)
        found |= {name: value for name, value in values.items() if expression.search(name)}
    return found


def _tag(template: str, record: ContainerRecord) -> str:
    check_tag(template)
    return _FIELD.sub(lambda match: _FIELDS[match[1]](record), template)


def _command(record: ContainerRecord) -> str:
    words = (record.configuration.entrypoint or ()) + (record.configuration.command or ())
    return " ".join(words)


_FIELDS: dict[str, Callable[[ContainerRecord], str]] = {
    "ID": lambda it: it.identifier[:_SHORT],
    "FullID": lambda it: it.identifier,
    "Name": lambda it: it.name,
    "ImageID": lambda it: it.image.removeprefix("sha256:")[:_SHORT],
    "ImageFullID": lambda it: it.image,
    "ImageName": lambda it: it.configuration.image,
    "Command": _command,
    "DaemonName": lambda _: "docker",
}
