"""The list of a machine's nodes: it grows, remembers, and finds by name."""

from pathlib import Path

import pytest

from sampan.daemon.node_list import NodeEntry, NodeList, NoSuchNode


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "nodes.json"


def test_nodes_are_added_and_remembered(path: Path) -> None:
    NodeList(path).ensure(2)
    nodes = NodeList(path)
    nodes.ensure(3)
    nodes.ensure(1)
    assert [entry.name for entry in NodeList(path).entries] == ["node-1", "node-2", "node-3"]


def test_a_stopped_node_stays_stopped(path: Path) -> None:
    nodes = NodeList(path)
    nodes.ensure(2)
    nodes.set_stopped(2, True)
    assert NodeList(path).entries == (NodeEntry(1), NodeEntry(2, stopped=True))
    nodes.reset(2)
    assert NodeList(path).entries == (NodeEntry(1), NodeEntry(2))


def test_a_node_is_found_by_its_name(path: Path) -> None:
    nodes = NodeList(path)
    nodes.ensure(2)
    assert nodes.find("node-2").number == 2


def test_names_in_the_cluster_have_the_prefix_of_the_last_time(path: Path) -> None:
    nodes = NodeList(path)
    nodes.reset(1, "east-")
    nodes.ensure(2)
    nodes.set_stopped(2, True)
    assert [(it.name, it.role) for it in NodeList(path).entries] == [
        ("east-node-1", "node-1"),
        ("east-node-2", "node-2"),
    ]
    assert nodes.find("east-node-2") == nodes.find("node-2")
    nodes.reset(1)
    assert nodes.prefix == "east-"
    nodes.reset(1, "")
    assert [it.name for it in nodes.entries] == ["node-1"]


@pytest.mark.parametrize("name", ["node-3", "node-0", "node-02", "web", "", "../node-1"])
def test_other_names_are_refused_with_those_that_are_there(path: Path, name: str) -> None:
    nodes = NodeList(path)
    nodes.ensure(2)
    with pytest.raises(NoSuchNode, match="node-1, node-2"):
        nodes.find(name)
