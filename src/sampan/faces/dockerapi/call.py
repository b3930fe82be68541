"""One request to the API: what its handler asks of it, and the forms of plain answers."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from sampan.engine.contract import InvalidConfiguration
from sampan.faces.dockerapi import filters
from sampan.faces.dockerapi.engine_parts import EngineParts
from sampan.faces.dockerapi.facts import Facts
from sampan.faces.dockerapi.versions import Version
from sampan.foundation.wire.message import Request, Response

Handler = Callable[["Call"], Awaitable[Response]]
_FALSE = ("", "0", "no", "false", "none")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_JSON = {"Content-Type": "application/json"}


class Call:
    """`parameters` are those of the path."""

    def __init__(
        self,
        request: Request,
        version: Version,
        parameters: Mapping[str, str],
        engine: EngineParts,
        facts: Facts,
    ) -> None:
        self.request = request
        self.version = version
        self.parameters = parameters
        self.engine = engine
        self.facts = facts

    @property
    def name(self) -> str:
        """What the path names."""
        return self.parameters["name"]

    def text(self, parameter: str, default: str = "") -> str:
        return self.request.parameter(parameter, default)

    def texts(self, parameter: str) -> list[str]:
        """Every value of a parameter that may come several times."""
        return [value for name, value in self.request.query if name == parameter]

    def flag(self, parameter: str, *, default: bool = False) -> bool:
        """As Docker reads flags: everything is true but a few words."""
        if not self.texts(parameter):
            return default
        return self.text(parameter).strip().lower() not in _FALSE

    def number(self, parameter: str) -> int | None:
        """None when it isn't given. Raises InvalidConfiguration."""
        value = self.text(parameter)
        if not value:
            return None
        if not _NUMBER.fullmatch(value):
            raise InvalidConfiguration(f'strconv.Atoi: parsing "{value[:80]}": invalid syntax')
        return int(value)

    def filters(self) -> filters.Filters:
        """Raises InvalidConfiguration."""
        return filters.parse(self.text("filters"))

    async def json(self) -> dict[str, Any]:
        """The body; nothing is an empty object. Raises InvalidConfiguration, BodyTooLarge."""
        body = await self.request.read_body()
        if not body.strip():
            return {}
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise InvalidConfiguration(
                f"unsupported Content-Type header ({kind}): must be 'application/json'"
            )
        try:
            document = msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidConfiguration(f"invalid JSON: {error}") from error
        if document is None:
            return {}
        if not isinstance(document, dict):
            raise InvalidConfiguration("invalid JSON: an object is expected")
        return document


def answer(document: Any, status: int = 200) -> Response:
    """A JSON document; structs are encoded in their own names."""
    return Response(status=status, headers=dict(_JSON), body=encoded(document))


def encoded(document: Any) -> bytes:
    return msgspec.json.encode(document) + b"\n"


def done(status: int = 204) -> Response:
    """Nothing to tell but that it is done."""
    return Response(status=status)
