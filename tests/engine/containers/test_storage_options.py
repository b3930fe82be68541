"""A root's size is what is said of it, or else what the machine's owner says, if it can be held."""

from pathlib import Path

import pytest

from sampan.engine.containers import storage_options
from sampan.engine.containers.storage_options import default_root_size, root_size
from sampan.engine.contract import InvalidConfiguration


def test_what_is_said_goes_before_the_default() -> None:
    assert root_size(None, 0) == 0
    assert root_size({}, 5) == 5
    assert root_size({"Size": "1g"}, 5) == 1 << 30
    with pytest.raises(InvalidConfiguration, match="unknown option colour"):
        root_size({"colour": "red"}, 0)


def test_a_default_that_cannot_be_held_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert default_root_size({}, tmp_path) == 0
    monkeypatch.setattr(storage_options, "has_project_quotas", lambda _: False)
    with pytest.raises(InvalidConfiguration, match="SAMPAN_CONTAINER_SIZE is set, but"):
        default_root_size({"SAMPAN_CONTAINER_SIZE": "10G"}, tmp_path)
    monkeypatch.setattr(storage_options, "has_project_quotas", lambda _: True)
    assert default_root_size({"SAMPAN_CONTAINER_SIZE": "10G"}, tmp_path) == 10 << 30
