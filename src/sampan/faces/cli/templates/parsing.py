"""From the words of a template to its nodes."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sampan.faces.cli.templates import literals
from sampan.faces.cli.templates.lexing import Action, Word, divided
from sampan.faces.cli.templates.nodes import (
    Break,
    Chain,
    Continue,
    Dot,
    Function,
    If,
    Literal,
    Node,
    Operand,
    Output,
    Pipeline,
    Range,
    Text,
    Variable,
    With,
)
from sampan.faces.cli.templates.values import TemplateFailed

_DEEPEST = 60
_END = Word("end", "")
_TRUTHS = {"true": True, "false": False}
_LITERALS: Mapping[str, Callable[[str], Any]] = {
    "string": literals.string,
    "character": literals.character,
    "number": literals.number,
}
_OPENING = ("if", "with", "range")


def parse(template: str, functions: frozenset[str]) -> tuple[Node, ...]:
    """The nodes of a template that may call `functions`. Raises TemplateFailed."""
    nodes, ended_by = _Reader(divided(template), functions).block(0)
    if ended_by:
        raise TemplateFailed(f"unexpected {{{{{ended_by[0].text}}}}}")
    return nodes


class _Reader:
    def __init__(self, parts: Iterator[str | Action], functions: frozenset[str]) -> None:
        self._parts = parts
        self._functions = functions
        self._scopes: list[set[str]] = [{"$"}]
        self._loops = 0

    def block(self, depth: int) -> tuple[tuple[Node, ...], list[Word]]:
        """Nodes up to the action that ends them: its words, none at the template's end."""
        if depth > _DEEPEST:
            raise TemplateFailed("a template of too many blocks in blocks")
        nodes: list[Node] = []
        for part in self._parts:
            if isinstance(part, str):
                nodes.append(Text(part))
                continue
            keyword = part.words[0].text if part.words[0].kind == "name" else ""
            if keyword in ("end", "else"):
                return tuple(nodes), part.words
            try:
                nodes.append(self._node(keyword, part.words, depth))
            except TemplateFailed as failure:
                text = str(failure)
                raise TemplateFailed(
                    text if text.startswith("line ") else f"line {part.line}: {text}"
                ) from failure
        if depth:
            raise TemplateFailed("a block lacks its {{end}}")
        return tuple(nodes), []

    def _node(self, keyword: str, words: list[Word], depth: int) -> Node:
        if keyword in _OPENING:
            return self._opened(keyword, words[1:], depth)
        if keyword in ("break", "continue"):
            if not self._loops or len(words) > 1:
                raise TemplateFailed(f"{{{{{keyword}}}}} outside {{{{range}}}}")
            return Break() if keyword == "break" else Continue()
        return Output(self._pipeline(words, "command"))

    def _opened(self, keyword: str, words: list[Word], depth: int) -> Node:
        """A block of its own with its `else`; variables made in it are known in it alone."""
        self._scopes.append(set())
        subject = self._pipeline(words, keyword)
        self._loops += keyword == "range"
        then, ended_by = self.block(depth + 1)
        self._loops -= keyword == "range"
        otherwise: tuple[Node, ...] = ()
        if ended_by[0].text == "else":
            otherwise = self._alternative(keyword, ended_by[1:], depth)
        elif len(ended_by) > 1:
            raise TemplateFailed(f"unexpected {ended_by[1].text!r} in {{{{end}}}}")
        self._scopes.pop()
        if keyword == "if":
            return If(subject, then, otherwise)
        return (
            With(subject, then, otherwise) if keyword == "with" else Range(subject, then, otherwise)
        )

    def _alternative(self, keyword: str, words: list[Word], depth: int) -> tuple[Node, ...]:
        """What follows `else`; `else if` and `else with` share the block's `end`."""
        if words:
            if words[0].text != keyword or keyword == "range":
                raise TemplateFailed(f"unexpected {words[0].text!r} after else")
            return (self._opened(keyword, words[1:], depth + 1),)
        nodes, ended_by = self.block(depth + 1)
        if [word.text for word in ended_by] != ["end"]:
            raise TemplateFailed("expected {{end}} after {{else}}")
        return nodes

    def _pipeline(self, words: list[Word], context: str) -> Pipeline:
        reader = _PipelineReader(words, self._functions, self._scopes)
        pipeline = reader.whole(context)
        if pipeline.variables and not pipeline.assigns:
            self._scopes[-1].update(pipeline.variables)
        return pipeline


class _PipelineReader:
    def __init__(
        self, words: list[Word], functions: frozenset[str], scopes: list[set[str]]
    ) -> None:
        self._words = words
        self._functions = functions
        self._scopes = scopes
        self._position = 0

    def whole(self, context: str) -> Pipeline:
        variables, assigns = self._declared(context)
        pipeline = self._commands(0)
        if self._next.kind != "end":
            raise TemplateFailed(f"unexpected {self._next.text!r} in {context}")
        return Pipeline(pipeline.commands, variables, assigns)

    @property
    def _next(self) -> Word:
        return self._words[self._position] if self._position < len(self._words) else _END

    def _take(self) -> Word:
        word = self._next
        self._position += 1
        return word

    def _declared(self, context: str) -> tuple[tuple[str, ...], bool]:
        """The variables before `:=` or `=`, and whether they are there already."""
        names: list[str] = []
        for index in range(0, min(len(self._words), 4), 2):
            word, mark = self._words[index], self._words[index + 1 : index + 2]
            if word.kind != "variable" or not mark:
                break
            names.append(word.text)
            if mark[0].text in (":=", "="):
                self._position = index + 2
                if len(names) > 1 and context != "range":
                    raise TemplateFailed(f"too many variables in {context}")
                if mark[0].text == "=":
                    for name in names:
                        self._known(name)
                return tuple(names), mark[0].text == "="
            if mark[0].text != ",":
                break
        return (), False

    def _commands(self, depth: int) -> Pipeline:
        if depth > _DEEPEST:
            raise TemplateFailed("a template of too many parentheses in parentheses")
        commands = [self._command(depth)]
        while self._next.text == "|" and self._next.kind == "mark":
            self._take()
            commands.append(self._command(depth))
        for command in commands[1:]:
            if not isinstance(command[0], (Function, Chain)):
                raise TemplateFailed("what follows a | is no function")
        return Pipeline(tuple(commands))

    def _command(self, depth: int) -> tuple[Operand, ...]:
        operands: list[Operand] = []
        while self._next.kind != "end" and self._next.text not in ("|", ")"):
            operands.append(self._operand(depth))
        if not operands:
            raise TemplateFailed("missing value for command")
        if len(operands) > 1 and not isinstance(operands[0], (Function, Chain)):
            raise TemplateFailed("can't give arguments to what is no function")
        return tuple(operands)

    def _operand(self, depth: int) -> Operand:
        base = self._base(depth)
        names = []
        while self._next.kind == "field" and self._next.joined:
            names.append(self._take().text[1:])
        if not names:
            return base
        if isinstance(base, Literal):
            raise TemplateFailed(f"unexpected .{names[0]} after a literal")
        if isinstance(base, Chain):
            return Chain(base.base, (*base.names, *names))
        return Chain(base, tuple(names))

    def _base(self, depth: int) -> Operand:
        word = self._take()
        if word.kind in _LITERALS:
            return Literal(_LITERALS[word.kind](word.text))
        if word.kind == "field":
            return Chain(Dot(), (word.text[1:],))
        if word.kind == "variable":
            return Variable(self._known(word.text))
        if word.kind == "name":
            return self._named(word.text)
        if word.text == "(":
            inner = self._commands(depth + 1)
            if self._take().text != ")":
                raise TemplateFailed("unclosed left paren")
            return inner
        if word.text != ".":
            raise TemplateFailed(f"unexpected {word.text!r}")
        return Dot()

    def _named(self, name: str) -> Operand:
        if name in _TRUTHS:
            return Literal(_TRUTHS[name])
        if name == "nil":
            return Literal(None)
        if name not in self._functions:
            raise TemplateFailed(f'function "{name}" not defined')
        return Function(name)

    def _known(self, name: str) -> str:
        if not any(name in scope for scope in self._scopes):
            raise TemplateFailed(f'undefined variable "{name}"')
        return name
