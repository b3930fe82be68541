"""Columns of text, as wide as their widest cell. Pure.

Source of the rules: the documentation of Go's package text/tabwriter.
"""

from collections.abc import Sequence

_GAP = 3


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines without trailing blanks; three blanks between columns."""
    lines = ["\t".join(line) for line in (header, *rows)]
    return "\n".join(line.rstrip() for line in aligned(lines, narrowest=0))


def aligned(texts: Sequence[str], narrowest: int = 10) -> list[str]:
    """The lines of texts, whose cells end in tabs, in columns.

    What stands behind a line's last tab belongs to no column; lines that follow one another
    share a column as long as each of them has it.
    """
    lines = [line.split("\t") for text in texts for line in text.split("\n")]
    deepest = max((len(cells) for cells in lines), default=0)
    for column in range(deepest - 1):
        start = 0
        while start < len(lines):
            end = start
            while end < len(lines) and len(lines[end]) > column + 1:
                end += 1
            _pad(lines[start:end], column, narrowest)
            start = end + 1
    return ["".join(cells) for cells in lines]


def _pad(lines: Sequence[list[str]], column: int, narrowest: int) -> None:
    width = max((len(cells[column]) + _GAP for cells in lines), default=0)
    for cells in lines:
        cells[column] = cells[column].ljust(max(width, narrowest))
