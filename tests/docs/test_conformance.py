"""The page on conformance is true: its tests exist, its numbers are those of its tables."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "conformance.md").read_text()
ROW = re.compile(r"^\| (.+) \| (–|`tests/.+`) \| (yes|no)(: .+)? \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)(?:\[(\w+)\])?`")
NAMES = {"sig-api-machinery": 100, "sig-auth": 27}


def rows(group: str) -> list[tuple[str, str, str, str]]:
    section = PAGE.partition(f"\n## {group}\n")[2].partition("\n## ")[0]
    return ROW.findall(section)


def test_every_name_is_there_once() -> None:
    for group, count in NAMES.items():
        found = [name for name, *_ in rows(group)]
        assert len(found) == len(set(found)) == count


def test_the_numbers_are_those_of_the_tables() -> None:
    holding = {group: sum(it[2] == "yes" for it in rows(group)) for group in NAMES}
    names, hold = sum(NAMES.values()), sum(holding.values())
    assert f"Of {names} names {hold} hold and {names - hold} do not." in PAGE
    for group, count in NAMES.items():
        assert f"| {group} | {count} | {holding[group]} |" in PAGE


def test_every_test_that_is_named_exists() -> None:
    named = TEST.findall(PAGE)
    assert len(named) == PAGE.count("`tests/") - PAGE.count("`tests/real/`") - PAGE.count(
        "`tests/docs/test_conformance.py`"
    )
    for file, function, parameter in named:
        text = (ROOT / file).read_text()
        assert re.search(rf"^(async )?def {function}\(", text, re.MULTILINE), (file, function)
        if parameter:
            assert parameter in text or parameter.upper() in _words(text), (file, parameter)


def test_what_holds_is_shown_and_what_does_not_says_why() -> None:
    for group in NAMES:
        for name, tests, verdict, why in rows(group):
            assert tests != "–" if verdict == "yes" else why, name


def _words(text: str) -> str:
    """Upper-case names without their underscores and plurals: FLOW_SCHEMAS is FlowSchema."""
    found = (word.replace("_", "").replace("IES", "Y") for word in re.findall(r"[A-Z_]{4,}", text))
    return " ".join(found)
