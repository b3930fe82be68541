"""Nodes for the tests of this folder: three that share a file's tests, or fresh ones."""

from collections.abc import Iterator

import pytest
from tests.real.network.joined_nodes import Network, network


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Three joined nodes, for all tests of one file."""
    with network(tmp_path_factory.mktemp("network")) as made:
        yield made


@pytest.fixture
def fresh_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Two joined nodes, for one test alone."""
    with network(tmp_path_factory.mktemp("network"), count=2) as made:
        yield made
