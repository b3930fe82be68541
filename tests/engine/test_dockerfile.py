"""Reading Dockerfiles, their variables and their stages."""

import pytest

from sampan.engine.build.dockerfile import parse_dockerfile
from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.expansion import assignments, expand, words
from sampan.engine.build.stages import split_stages


def instructions(text: str) -> list[tuple[int, str, str]]:
    return [(each.line, each.name, each.text) for each in parse_dockerfile(text).instructions]


def test_comments_and_continuations() -> None:
    text = '# first\nFROM a\n\nRUN one \\\n  # inside\n\n  two\n  # last\ncmd ["x"]\n'
    assert instructions(text) == [
        (2, "FROM", "a"),
        (4, "RUN", "one   two"),
        (9, "CMD", '["x"]'),
    ]


def test_another_escape_character() -> None:
    parsed = parse_dockerfile("# escape=`\nFROM a\nCOPY x `\n c:\\\n")
    assert parsed.escape == "`"
    assert parsed.instructions[1].text == "x  c:\\"


def test_a_directive_after_a_comment_is_a_comment() -> None:
    assert parse_dockerfile("# hello\n# escape=`\nFROM a\n").escape == "\\"


def test_flags_are_taken_off() -> None:
    copied = parse_dockerfile("FROM a\nCOPY --from=b --chown=1:2 x y\n").instructions[1]
    assert copied.flags == {"from": "b", "chown": "1:2"}
    assert copied.text == "x y"


def test_the_json_form() -> None:
    run, shell = parse_dockerfile('FROM a\nRUN ["a", "b c"]\nRUN [ -f x ]\n').instructions[1:]
    assert run.json_form() == ["a", "b c"]
    assert shell.json_form() is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no instructions"),
        ("FROM a\n123 x\n", "line 2"),
        ("FROM a\nRUN <<EOF\nx\nEOF\n", "line 2: here-documents"),
        ("# escape=x\nFROM a", "escape"),
    ],
)
def test_what_cannot_be_read_names_its_line(text: str, message: str) -> None:
    with pytest.raises(BuildFailed, match=message):
        parse_dockerfile(text)


VARIABLES = {"A": "1", "EMPTY": "", "LONG": "x y"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$A", "1"),
        ("${A}b", "1b"),
        ("$NONE.", "."),
        ("${NONE:-d$A}", "d1"),
        ("${EMPTY-d}", ""),
        ("${EMPTY:-d}", "d"),
        ("${A:+set}", "set"),
        ("${NONE+set}", ""),
        ("'$A'", "$A"),
        ('"$LONG"', "x y"),
        (r"\$A", "$A"),
        (r'"a\"b"', 'a"b'),
        (r'"a\nb"', r"a\nb"),
        ("${NONE:-${EMPTY:-deep}}", "deep"),
        ("$", "$"),
    ],
)
def test_expansion(text: str, result: str) -> None:
    assert expand(text, VARIABLES, "\\", 1) == result


def test_words_and_assignments() -> None:
    assert words("a 'b c' $LONG d\\ e", VARIABLES, "\\", 1) == ["a", "b c", "x y", "d e"]
    assert assignments('B="2 3" C=$A D=', VARIABLES, "\\", 1) == {"B": "2 3", "C": "1", "D": ""}
    assert assignments("OLD the rest  of it", VARIABLES, "\\", 1) == {"OLD": "the rest  of it"}


@pytest.mark.parametrize("text", ["'open", "${A", "${A%x}", "${NONE:?needed}", "${1x}"])
def test_broken_variables_are_refused(text: str) -> None:
    with pytest.raises(BuildFailed, match="line 7"):
        expand(text, VARIABLES, "\\", 7)


def test_only_needed_stages_are_built() -> None:
    parsed = parse_dockerfile(
        "ARG BASE=scratch\nFROM $BASE AS one\nFROM one AS two\nFROM scratch AS unused\n"
        "FROM scratch\nCOPY --from=two /x /\n"
    )
    stages = split_stages(parsed, {})
    assert [stage.number for stage in stages.needed("")] == [0, 1, 3]
    assert [stage.number for stage in stages.needed("two")] == [0, 1]
    assert stages.stages[0].base == "scratch"
    assert split_stages(parsed, {"BASE": "debian"}).stages[0].base == "debian"
    with pytest.raises(BuildFailed, match="no stage"):
        stages.needed("nosuch")


def test_a_stage_must_come_first() -> None:
    with pytest.raises(BuildFailed, match="before the first FROM"):
        split_stages(parse_dockerfile("RUN x\nFROM a\n"), {})
