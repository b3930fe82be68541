"""What a template consists of, once it has been read."""

from typing import Any, TypeAlias

import msgspec


class Literal(msgspec.Struct, frozen=True):
    value: Any


class Dot(msgspec.Struct, frozen=True):
    """The value that the cursor is on."""


class Variable(msgspec.Struct, frozen=True):
    name: str


class Function(msgspec.Struct, frozen=True):
    name: str


class Chain(msgspec.Struct, frozen=True):
    """Fields of fields of something."""

    base: "Operand"
    names: tuple[str, ...]


class Pipeline(msgspec.Struct, frozen=True):
    """Commands, each given the result of the one before as its last argument.

    The result goes into `variables`: new ones, or (`assigns`) such as there are.
    """

    commands: tuple[tuple["Operand", ...], ...]
    variables: tuple[str, ...] = ()
    assigns: bool = False


Operand: TypeAlias = "Literal | Dot | Variable | Function | Chain | Pipeline"


class Text(msgspec.Struct, frozen=True):
    text: str


class Output(msgspec.Struct, frozen=True):
    pipeline: Pipeline


class If(msgspec.Struct, frozen=True):
    condition: Pipeline
    then: tuple["Node", ...]
    otherwise: tuple["Node", ...]


class With(msgspec.Struct, frozen=True):
    subject: Pipeline
    then: tuple["Node", ...]
    otherwise: tuple["Node", ...]


class Range(msgspec.Struct, frozen=True):
    subject: Pipeline
    body: tuple["Node", ...]
    otherwise: tuple["Node", ...]


class Break(msgspec.Struct, frozen=True):
    """Leave the loop."""


class Continue(msgspec.Struct, frozen=True):
    """Go on with the loop's next turn."""


Node: TypeAlias = "Text | Output | If | With | Range | Break | Continue"
