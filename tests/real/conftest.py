"""After the last test on a real machine nothing of them is left on it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.real.leftovers import MARK, Session


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Programs that are started by tests, clients of others among them, have a folder for what
    they put aside, which goes in the end: some forget theirs."""
    if os.geteuid() != 0:
        yield
        return
    temporary = Path(f"/tmp/sampan-tests-{MARK}")
    temporary.mkdir(mode=0o700)
    session = Session(tmp_path_factory.getbasetemp(), temporary)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        yield
    found = session.leftovers()
    shutil.rmtree(temporary)
    assert found == []
