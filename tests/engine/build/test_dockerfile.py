"""Reading Dockerfiles, their variables and their stages."""

import pytest

from sampan.engine.build.dockerfile import Dockerfile, parse_dockerfile
from sampan.engine.build.errors import BuildFailed, InvalidDockerfile
from sampan.engine.build.expansion import assignments, expand, expand_text, words
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
    assert copied.flags == (("from", "b"), ("chown", "1:2"))
    assert copied.text == "x y"


def test_the_json_form() -> None:
    run, shell = parse_dockerfile('FROM a\nRUN ["a", "b c"]\nRUN [ -f x ]\n').instructions[1:]
    assert run.json_form() == ["a", "b c"]
    assert shell.json_form() is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "file with no instructions"),
        ("# nothing\n", "file with no instructions"),
        ("FROM a\n123 x\n", "on line 2: unknown instruction: 123"),
        ("FORM a\n", r"on line 1: unknown instruction: FORM \(did you mean FROM\?\)"),
        ("FROM a\nRUN <<EOF\nx\n", "on line 2: unterminated heredoc"),
        ("# escape=x\nFROM a", "on line 1: invalid escape token 'x'"),
        ("# syntax=a\n# syntax=b\nFROM a", "on line 2: only one syntax parser directive"),
    ],
)
def test_what_cannot_be_read_names_its_line(text: str, message: str) -> None:
    with pytest.raises(InvalidDockerfile, match=message):
        parse_dockerfile(text)


def test_heredocs() -> None:
    text = (
        "FROM a\nRUN <<EOF\necho one\n# no comment\n\nEOF\n"
        "COPY <<-'A' <<B /to/\n\tplain $x\nA\nmore\nB\nRUN cat 3<<X\n\tx\nX\n"
    )
    run, copied, mixed = parse_dockerfile(text).instructions[1:]
    assert (run.line, run.end, run.text) == (2, 6, "<<EOF")
    assert [one.content for one in run.heredocs] == ["echo one\n# no comment\n\n"]
    first, second = copied.heredocs
    assert (first.name, first.expands, first.text) == ("A", False, "plain $x\n")
    assert (second.name, second.expands, second.text) == ("B", True, "more\n")
    assert mixed.heredocs[0].content == "\tx\n"


def test_what_only_looks_like_a_heredoc() -> None:
    for text in ("RUN echo $((1<<2))", "RUN cat <<< word", 'RUN echo "<<EOF"', "CMD <<EOF"):
        assert parse_dockerfile(f"FROM a\n{text}\n").instructions[1].heredocs == ()


VARIABLES = {"A": "1", "EMPTY": "", "LONG": "x y", "P": "foo/bar/baz.tar.gz"}


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
        ("${P#*/}", "bar/baz.tar.gz"),
        ("${P##*/}", "baz.tar.gz"),
        ("${P%.*}", "foo/bar/baz.tar"),
        ("${P%%.*}", "foo/bar/baz"),
        ("${P%nosuch}", "foo/bar/baz.tar.gz"),
        ("${P/a/o}", "foo/bor/baz.tar.gz"),
        ("${P//a/o}", "foo/bor/boz.tor.gz"),
        (r"${P/\//-}", "foo-bar/baz.tar.gz"),
        ("${P#f?o/}", "bar/baz.tar.gz"),
    ],
)
def test_expansion(text: str, result: str) -> None:
    assert expand(text, VARIABLES, "\\", 1) == result


def test_words_and_assignments() -> None:
    assert words("a 'b c' $LONG d\\ e", VARIABLES, "\\", 1) == ["a", "b c", "x y", "d e"]
    assert assignments('B="2 3" C=$A D=', VARIABLES, "\\", 1) == {"B": "2 3", "C": "1", "D": ""}
    assert assignments("OLD the rest  of it", VARIABLES, "\\", 1) == {"OLD": "the rest  of it"}


def test_the_text_of_a_heredoc_keeps_its_quotes() -> None:
    assert expand_text("'$A' \"$A\" \\$A \\n", VARIABLES, "\\", 1) == "'1' \"1\" $A \\n"


@pytest.mark.parametrize("text", ["'open", "${A", "${A^x}", "${NONE:?needed}", "${.x}", "${A/x}"])
def test_broken_variables_are_refused(text: str) -> None:
    with pytest.raises(BuildFailed, match=r"^failed to process") as caught:
        expand(text, VARIABLES, "\\", 7)
    assert caught.value.line == 7


def test_a_pattern_takes_no_time_to_fail() -> None:
    assert expand("${X%" + "*a" * 50 + "b}", {"X": "a" * 5000}, "\\", 1) == "a" * 5000


def needed(parsed: Dockerfile, target: str = "") -> list[int]:
    stages = split_stages(parsed, {}, {})
    return [stage.number for stage in stages.needed(stages.target(target))]


def test_only_needed_stages_are_built() -> None:
    parsed = parse_dockerfile(
        "ARG BASE=scratch\nFROM $BASE AS one\nFROM one AS two\nFROM scratch AS unused\n"
        "FROM scratch AS tool\nFROM scratch\nCOPY --from=two /x /\n"
        "RUN --mount=type=bind,from=tool,target=/t x\n"
    )
    assert needed(parsed) == [0, 1, 3, 4]
    assert needed(parsed, "two") == [0, 1]
    assert split_stages(parsed, {}, {}).stages[0].base == "scratch"
    assert split_stages(parsed, {"BASE": "debian"}, {}).stages[0].base == "debian"
    with pytest.raises(BuildFailed, match="failed to reach build target nosuch in Dockerfile"):
        needed(parsed, "nosuch")


def test_a_stage_must_come_first() -> None:
    with pytest.raises(InvalidDockerfile, match="no build stage in current context"):
        split_stages(parse_dockerfile("RUN x\nFROM a\n"), {}, {})


def test_a_stage_may_be_for_another_platform() -> None:
    text = "FROM --platform=$BUILDPLATFORM golang AS b\n"
    stages = split_stages(parse_dockerfile(text), {}, {"BUILDPLATFORM": "linux/amd64"})
    assert stages.stages[0].platform == "linux/amd64"
