"""The archive of what a build step wrote."""

import io
import tarfile

from sampan.engine.snapshots.changeset import write_changeset
from sampan.host.tree_removal import remove_tree

BEYOND_RECURSION = 1200


def test_folders_may_be_nested_deeper_than_recursion_reaches(tmp_path):
    folder = tmp_path
    for _ in range(BEYOND_RECURSION):
        folder = folder / "d"
        folder.mkdir()
    (tmp_path / "a").write_text("last of the folders, first of the names")
    written = io.BytesIO()
    write_changeset(tmp_path, written, None)
    remove_tree(tmp_path / "d")
    written.seek(0)
    with tarfile.open(fileobj=written) as archive:
        names = archive.getnames()
    assert names[:3] == ["a", "d", "d/d"]
    assert len(names) == BEYOND_RECURSION + 1
