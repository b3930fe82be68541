"""File name patterns of COPY and .dockerignore."""

import pytest

from sampan.engine.build.patterns import component_matches, is_ignored, parse_ignore_rules

RULES = parse_ignore_rules("# comment\n*.log\n/build\n**/cache\nkeep/*\n!keep/this\ndoc?/\n")


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("a.log", True),
        ("sub/a.log", False),
        ("build", True),
        ("build/deep/file", True),
        ("x/y/cache/z", True),
        ("cache", True),
        ("keep/other", True),
        ("keep/this", False),
        ("docs", True),
        ("document", False),
    ],
)
def test_the_last_rule_that_matches_decides(path: str, ignored: bool) -> None:
    assert is_ignored(path, RULES) is ignored


def test_components() -> None:
    assert component_matches("*.tx[ts]", "a.txt")
    assert not component_matches("*.txt", "a.txt.gz")
    assert component_matches("a?c", "abc")
    assert not component_matches("[a-c]", "d")
