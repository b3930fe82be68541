"""The tests of registries need root, Debian's registry and the tools that others use."""

import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

_NEEDED = ("docker-registry", "skopeo", "umoci", "htpasswd")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    if os.geteuid() == 0 and all(map(shutil.which, _NEEDED)):
        return
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=f"needs root and {', '.join(_NEEDED)}"))
