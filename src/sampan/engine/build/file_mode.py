"""`--chmod`: octal, or symbolic as in chmod(1): `755`, `u=rwX,go=rX`. Pure."""

import re
import stat

import msgspec

from sampan.engine.build.errors import InvalidDockerfile

_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=][rwxXst]*)+)")
_ACTION = re.compile(r"([-+=])([rwxXst]*)")
_BITS = {"r": 4, "w": 2, "x": 1}
_SHIFT = {"u": 6, "g": 3, "o": 0}
_SPECIAL = {"u": stat.S_ISUID, "g": stat.S_ISGID, "o": 0}
_EXECUTABLE = 0o111


class FileMode(msgspec.Struct, frozen=True):
    """`clauses` are (who, operator, permissions); an octal one has none."""

    text: str
    octal: int = 0
    clauses: tuple[tuple[str, str, str], ...] = ()

    def applied(self, mode: int) -> int:
        """The permission bits that a file of this mode (st_mode) gets."""
        bits = stat.S_IMODE(mode)
        if not self.clauses:
            return self.octal
        for who, operator, permissions in self.clauses:
            bits = _changed(bits, who, operator, permissions, is_folder=stat.S_ISDIR(mode))
        return bits


def parse_file_mode(text: str, line: int) -> FileMode:
    """Raises InvalidDockerfile."""
    if text.isdecimal() and len(text) <= 5 and not set(text) - set("01234567"):
        return FileMode(text, octal=int(text, 8) & 0o7777)
    clauses: list[tuple[str, str, str]] = []
    for clause in text.split(","):
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            raise InvalidDockerfile(
                f"invalid chmod parameter: '{text[:40]}'. it should be octal string and between "
                "0 and 07777",
                line,
            )
        who = "ugo" if "a" in match[1] or not match[1] else match[1]
        clauses.extend((who, operator, what) for operator, what in _ACTION.findall(match[2]))
    return FileMode(text, clauses=tuple(clauses))


def _changed(bits: int, who: str, operator: str, permissions: str, *, is_folder: bool) -> int:
    wanted = cleared = 0
    for one in who:
        named = sum({_BITS[letter] for letter in permissions if letter in _BITS})
        if "X" in permissions and (is_folder or bits & _EXECUTABLE):
            named |= 1
        wanted |= named << _SHIFT[one]
        cleared |= 7 << _SHIFT[one]
        if "s" in permissions:
            wanted |= _SPECIAL[one]
        cleared |= _SPECIAL[one]
    if "t" in permissions:
        wanted |= stat.S_ISVTX
    if operator == "+":
        return bits | wanted
    if operator == "-":
        return bits & ~wanted
    return (bits & ~cleared) | wanted
