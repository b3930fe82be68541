"""Waiting for nodes of a cluster that isn't there."""

from pathlib import Path

import click
import pytest

from sampan.faces.cli.node_readiness import demand_ready
from sampan.foundation.settings import Instance


class _Instance(Instance, frozen=True, kw_only=True):
    folder: str

    @property
    def configuration_folder(self) -> Path:
        return Path(self.folder)


def test_without_an_api_server_the_command_tells_where_to_look(tmp_path: Path) -> None:
    instance = _Instance(name="blue", folder=str(tmp_path))
    with pytest.raises(click.ClickException) as caught:
        demand_ready(instance, {"node-1": 0.0}, 1)
    assert "can't be reached" in caught.value.message
    assert "`sampan --instance blue status`" in caught.value.message
    assert str(instance.state_folder / "log") in caught.value.message
