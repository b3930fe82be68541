"""Every file of the source tree that a page of `docs/` names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
NAMED = re.compile(r"`((?:src|tests|bench|examples|docs)/[\w./-]+)`|`([a-z_]+/[a-z_/]+\.py)`")


def named_paths(text: str) -> list[Path]:
    return [
        ROOT / whole if whole else ROOT / "src/sampan" / inside
        for whole, inside in NAMED.findall(text)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    missing = [
        str(path.relative_to(ROOT)) for path in named_paths(page.read_text()) if not path.exists()
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([\w./-]+\.md)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
