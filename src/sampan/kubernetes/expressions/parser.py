"""From text to tree: one function a level of the grammar, precedence by climbing.

Depth is bounded before the tree is walked, so that nobody's parentheses exhaust the stack.
"""

from sampan.kubernetes.expressions.errors import Problem
from sampan.kubernetes.expressions.lexer import LARGEST, Token, is_reserved, tokens
from sampan.kubernetes.expressions.macros import expanded
from sampan.kubernetes.expressions.syntax import (
    MAXIMUM_HEIGHT,
    Call,
    Conditional,
    Constant,
    Entry,
    Identifier,
    Index,
    ListLiteral,
    Logical,
    MapLiteral,
    Node,
    Select,
    StructLiteral,
    height_of,
)

MAXIMUM_NESTING = 60

_LEVELS: tuple[tuple[str, ...], ...] = (
    ("<", "<=", ">=", ">", "==", "!=", "in"),
    ("+", "-"),
    ("*", "/", "%"),
)

_FORMATS = (
    "dns1123Label",
    "dns1123Subdomain",
    "dns1035Label",
    "qualifiedName",
    "dns1123LabelPrefix",
    "dns1123SubdomainPrefix",
    "dns1035LabelPrefix",
    "labelValue",
    "uri",
    "uuid",
    "byte",
    "date",
    "datetime",
)
NAMESPACES: dict[str, frozenset[str]] = {
    "sets": frozenset(("sets.contains", "sets.equivalent", "sets.intersects")),
    "optional": frozenset(("optional.of", "optional.none", "optional.ofNonZeroValue")),
    "ip": frozenset(("ip.isCanonical",)),
    "format": frozenset(("format.named", *(f"format.{it}" for it in _FORMATS))),
    "strings": frozenset(("strings.quote",)),
    "jsonpatch": frozenset(("jsonpatch.escapeKey",)),
}


def parse(text: str) -> Node:
    """Raises Problem."""
    return _Parser(tokens(text)).whole()


class _Parser:
    def __init__(self, stream: list[Token]) -> None:
        self._stream = stream
        self._at = 0
        self._nesting = 0

    def whole(self) -> Node:
        node = self._expression()
        if self._token.kind != "end":
            raise self._unexpected("<EOF>")
        return node

    @property
    def _token(self) -> Token:
        return self._stream[self._at]

    def _next(self) -> Token:
        token = self._stream[self._at]
        self._at += 1
        return token

    def _is(self, *signs: str) -> bool:
        token = self._token
        return token.kind == "sign" and token.text in signs

    def _take(self, sign: str) -> bool:
        if self._is(sign):
            self._at += 1
            return True
        return False

    def _expect(self, sign: str) -> Token:
        if not self._is(sign):
            raise self._unexpected(f"'{sign}'")
        return self._next()

    def _unexpected(self, expected: str) -> Problem:
        token = self._token
        return Problem(
            token.offset, f"Syntax error: mismatched input '{token.text}' expecting {expected}"
        )

    def _expression(self) -> Node:
        self._nesting += 1
        if self._nesting > MAXIMUM_NESTING:
            raise Problem(self._token.offset, "expression recursion limit exceeded: 60")
        condition = self._logical("||")
        if self._is("?"):
            offset = self._next().offset
            then = self._logical("||")
            self._expect(":")
            otherwise = self._expression()
            height = 1 + max(map(height_of, (condition, then, otherwise)))
            condition = _bounded(Conditional(offset, condition, then, otherwise, height))
        self._nesting -= 1
        return condition

    def _logical(self, sign: str) -> Node:
        first = self._logical("&&") if sign == "||" else self._binary(0)
        if not self._is(sign):
            return first
        offset, terms = self._token.offset, [first]
        while self._take(sign):
            terms.append(self._logical("&&") if sign == "||" else self._binary(0))
        height = 1 + max(map(height_of, terms))
        return _bounded(Logical(offset, sign == "&&", tuple(terms), height))

    def _binary(self, level: int) -> Node:
        left = self._unary() if level == len(_LEVELS) - 1 else self._binary(level + 1)
        while self._is(*_LEVELS[level]):
            token = self._next()
            right = self._unary() if level == len(_LEVELS) - 1 else self._binary(level + 1)
            left = _call(token.offset, f"_{token.text}_", None, (left, right))
        return left

    def _unary(self) -> Node:
        signs: list[Token] = []
        while self._is("!", "-") and (not signs or self._token.text == signs[0].text):
            signs.append(self._next())
        if signs and self._is("!", "-"):
            raise self._unexpected("an operand")
        is_literal = self._token.kind == "constant"
        node = self._member()
        if len(signs) % 2 == 0:
            return _checked_size(node)
        offset = signs[0].offset
        if signs[0].text == "-" and is_literal and isinstance(node, Constant):
            value = node.value
            if type(value) in (int, float):
                return Constant(offset, -value)
        return _call(offset, f"{signs[0].text}_", None, (_checked_size(node),))

    def _member(self) -> Node:
        node = self._primary()
        while self._is(".", ".?", "[", "[?"):
            token = self._next()
            if token.text in ("[", "[?"):
                key = self._expression()
                self._expect("]")
                height = 1 + max(height_of(node), height_of(key))
                node = _bounded(Index(token.offset, node, key, token.text == "[?", height))
                continue
            name = self._next()
            if name.kind != "name":
                self._at -= 1
                raise self._unexpected("IDENTIFIER")
            if token.text == "." and name.value != "quoted" and self._is("("):
                node = self._call_of(name, node)
            else:
                optional = token.text == ".?"
                height = 1 + height_of(node)
                node = _bounded(
                    Select(token.offset, node, name.text, optional=optional, height=height)
                )
        return node

    def _call_of(self, name: Token, target: Node | None) -> Node:
        opening = self._expect("(")
        arguments = self._list(")")
        macro = expanded(opening.offset, name.text, target, arguments)
        if macro is not None:
            return _bounded(macro)
        qualified = _function_name(target, name.text)
        if qualified is not None:
            return _call(opening.offset, qualified, None, arguments)
        return _call(opening.offset, name.text, target, arguments)

    def _list(self, closing: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self._take(closing):
            if found:
                self._expect(",")
                if closing != ")" and self._take(closing):
                    break
            found.append(self._expression())
        return tuple(found)

    def _primary(self) -> Node:
        token = self._next()
        if token.kind == "constant":
            return Constant(token.offset, token.value)
        if token.kind == "name" and token.value != "quoted":
            return self._named(token)
        if token.kind == "sign" and token.text == "(":
            node = self._expression()
            self._expect(")")
            return node
        if token.kind == "sign" and token.text in ("[", "[?"):
            return self._list_literal(token)
        if token.kind == "sign" and token.text in ("{", "{?"):
            return self._map_literal(token)
        if token.kind == "sign" and token.text == "." and self._token.kind == "name":
            return self._named(self._next())
        self._at -= 1
        raise self._unexpected(
            "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, "
            "NUM_UINT, STRING, BYTES, IDENTIFIER}"
        )

    def _named(self, token: Token) -> Node:
        if self._is("("):
            return self._call_of(token, None)
        name = self._struct_name(token)
        if name is not None:
            return self._struct_literal(token, name)
        if is_reserved(token.text):
            raise Problem(token.offset, f"Syntax error: reserved identifier: {token.text}")
        return Identifier(token.offset, token.text)

    def _struct_name(self, token: Token) -> str | None:
        """`Object.spec{` names a type; anything else does not, and is left where it is."""
        start, parts = self._at, [token.text]
        while self._is(".") and self._stream[self._at + 1].kind == "name":
            self._at += 1
            parts.append(self._next().text)
        if self._is("{", "{?"):
            return ".".join(parts)
        self._at = start
        return None

    def _struct_literal(self, token: Token, name: str) -> Node:
        optional = self._next().text == "{?"
        entries: list[tuple[str, Node, bool]] = []
        while optional or not self._take("}"):
            if entries and not optional:
                self._expect(",")
                if self._take("}"):
                    break
            optional = optional or self._take("?")
            field = self._next()
            if field.kind != "name":
                self._at -= 1
                raise self._unexpected("IDENTIFIER")
            self._expect(":")
            entries.append((field.text, self._expression(), optional))
            optional = False
        height = 1 + max((height_of(it[1]) for it in entries), default=0)
        return _bounded(StructLiteral(token.offset, name, tuple(entries), height))

    def _list_literal(self, token: Token) -> Node:
        elements: list[tuple[Node, bool]] = []
        optional = token.text == "[?"
        while optional or not self._take("]"):
            if elements and not optional:
                self._expect(",")
                if self._take("]"):
                    break
            optional = optional or self._take("?")
            elements.append((self._expression(), optional))
            optional = False
        height = 1 + max((height_of(it[0]) for it in elements), default=0)
        return _bounded(ListLiteral(token.offset, tuple(elements), height))

    def _map_literal(self, token: Token) -> Node:
        entries: list[Entry] = []
        optional = token.text == "{?"
        while optional or not self._take("}"):
            if entries and not optional:
                self._expect(",")
                if self._take("}"):
                    break
            optional = optional or self._take("?")
            key = self._expression()
            self._expect(":")
            entries.append(Entry(key, self._expression(), optional))
            optional = False
        heights = [max(height_of(it.key), height_of(it.value)) for it in entries]
        return _bounded(MapLiteral(token.offset, tuple(entries), 1 + max(heights, default=0)))


def _function_name(target: Node | None, name: str) -> str | None:
    """`sets.contains` and its like are functions in a namespace, not methods."""
    if isinstance(target, Identifier) and target.name in NAMESPACES:
        qualified = f"{target.name}.{name}"
        return qualified if qualified in NAMESPACES[target.name] else None
    return None


def _call(offset: int, function: str, target: Node | None, arguments: tuple[Node, ...]) -> Node:
    height = 1 + max((height_of(it) for it in (target, *arguments)), default=0)
    return _bounded(Call(offset, function, target, arguments, height))


def _bounded(node: Node) -> Node:
    if height_of(node) > MAXIMUM_HEIGHT:
        raise Problem(node.offset, f"expression is nested more than {MAXIMUM_HEIGHT} levels deep")
    return node


def _checked_size(node: Node) -> Node:
    """2^63 stands only behind a minus."""
    if isinstance(node, Constant) and type(node.value) is int and node.value > LARGEST:
        raise Problem(node.offset, "invalid int literal")
    return node
