"""Devices by the Container Device Interface: names, conflicts, and the edits that they bring."""

import json
from pathlib import Path

import pytest

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.runtime import cdi_documents, cdi_registry
from sampan.engine.runtime.cdi import decode_specification, resolve


def specification(**changes: object) -> dict[str, object]:
    return {
        "cdiVersion": "0.6.0",
        "kind": "vendor.com/gpu",
        "containerEdits": {"env": ["COMMON=1"]},
        "devices": [
            {"name": "0", "containerEdits": {"env": ["GPU=0"]}},
            {"name": "1", "containerEdits": {"env": ["GPU=1"]}},
        ],
    } | changes


def variables(*names: str, folders: tuple[list[dict[str, object]], ...]) -> list[str]:
    decoded = [[decode_specification(tree) for tree in folder] for folder in folders]
    return [entry for each in resolve(names, decoded).edits for entry in each.env]


def test_what_all_devices_of_a_specification_share_is_edited_once() -> None:
    found = variables("vendor.com/gpu=0", "vendor.com/gpu=1", folders=([specification()],))
    assert found == ["COMMON=1", "GPU=0", "GPU=1"]


def test_the_later_folder_is_stronger() -> None:
    other = specification(devices=[{"name": "0", "containerEdits": {"env": ["GPU=stronger"]}}])
    found = variables("vendor.com/gpu=0", folders=([specification()], [other]))
    assert found == ["COMMON=1", "GPU=stronger"]


def test_a_device_that_two_files_of_a_folder_name_is_a_conflict() -> None:
    with pytest.raises(InvalidConfiguration, match=r"unresolvable CDI devices vendor\.com/gpu=0"):
        variables("vendor.com/gpu=0", folders=([specification(), specification()],))


@pytest.mark.parametrize("name", ["gpu=0", "vendor.com/gpu", "vendor.com/gpu=", "vendor.com/gpu=9"])
def test_names_that_lead_to_no_device_are_refused(name: str) -> None:
    with pytest.raises(InvalidConfiguration, match=name):
        variables(name, folders=([specification()],))


@pytest.mark.parametrize(
    "changes",
    [
        {"cdiVersion": "99.0.0"},
        {"kind": "novendor"},
        {"kind": "-bad/class"},
        {"devices": [{"name": "x y"}]},
        {"devices": [{"name": "0"}, {"name": "0"}]},
        {"containerEdits": {"env": ["no value"]}},
        {"containerEdits": {"hooks": [{"hookName": "whenever", "path": "/x"}]}},
        {"containerEdits": {"hooks": [{"hookName": "prestart", "path": "relative"}]}},
        {"containerEdits": {"deviceNodes": [{"path": "/dev/x", "permissions": "z"}]}},
        {"devices": "none"},
    ],
)
def test_a_specification_that_is_wrong_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidConfiguration):
        decode_specification(specification(**changes))


def test_edits_become_members_of_the_runtimes_document() -> None:
    tree = specification(
        containerEdits={
            "env": ["A=1=2"],
            "deviceNodes": [
                {"path": "/dev/x", "type": "c", "major": 5, "minor": 6, "fileMode": 384},
            ],
            "mounts": [{"hostPath": "/h", "containerPath": "/c"}],
            "hooks": [{"hookName": "createContainer", "path": "/hook", "args": ["hook", "x"]}],
            "additionalGids": [0, 44],
        }
    )
    edits = resolve(("vendor.com/gpu=0",), [[decode_specification(tree)]])
    assert cdi_documents.variables(edits) == {"A": "1=2", "GPU": "0"}
    assert cdi_documents.groups(edits) == (44,)
    assert cdi_documents.hooks(edits) == {
        "createContainer": [{"path": "/hook", "args": ["hook", "x"]}]
    }
    assert cdi_documents.mounts(edits)[0]["destination"] == "/c"
    node = cdi_documents.device_nodes(edits)[0]
    assert (node.path, node.major, node.minor, node.mode, node.permissions) == (
        *("/dev/x", 5, 6),
        0o600,
        "rw",
    )


def test_files_are_read_and_those_that_are_wrong_are_left_out(tmp_path: Path) -> None:
    static, dynamic = tmp_path / "etc", tmp_path / "run"
    static.mkdir()
    (static / "vendor.json").write_text(json.dumps(specification()))
    (static / "broken.json").write_text("{")
    (static / "other.yaml").write_text(
        "cdiVersion: 0.5.0\nkind: other.org/card\ndevices:\n- name: all\n"
    )
    (static / "notes.txt").write_text("not one")
    names = cdi_registry.device_names((static, dynamic))
    assert names == ("other.org/card=all", "vendor.com/gpu=0", "vendor.com/gpu=1")
    assert cdi_registry.edits_for((), (static,)).edits == ()
