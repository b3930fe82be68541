"""The sources that another release's packages are fetched from."""

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "fetch_debian_program.py"
sources_of = runpy.run_path(str(SCRIPT))["sources_of"]


def test_the_archive_of_this_release_is_asked_for_another(tmp_path: Path) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / "debian.sources").write_text(
        "Types: deb\nURIs: http://mirror.test/debian\nSuites: bookworm bookworm-updates\n"
        "Components: main\n\n"
        "Types: deb\nURIs: http://mirror.test/security\nSuites: bookworm-security\n"
    )
    (folder / "another.list").write_text("deb https://elsewhere.test stable main\n")
    (tmp_path / "sources.list").write_text(
        "# deb http://old.test bookworm main\ndeb [arch=amd64] http://own.test bookworm main\n"
        "deb http://own.test bookworm-updates main\n"
    )
    assert sources_of(tmp_path, "bookworm", "trixie") == {
        "other.sources": "Types: deb\nURIs: http://mirror.test/debian\nSuites: trixie\n"
        "Components: main\n",
        "other.list": "deb [arch=amd64] http://own.test trixie main\n",
    }


def test_without_an_archive_there_is_nothing_to_ask(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="no archive of bookworm"):
        sources_of(tmp_path, "bookworm", "trixie")
