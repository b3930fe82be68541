"""What the package imports is what its installation brings."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _canonical(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _imported(source: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(source.read_bytes())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    return {module.partition(".")[0] for module in modules}


def test_every_imported_package_is_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {_canonical(re.split(r"[<>=~!\[ ]", each)[0]) for each in project["dependencies"]}
    sources = (ROOT / "src").rglob("*.py")
    imported = set[str]().union(*map(_imported, sources)) - sys.stdlib_module_names - {"sampan"}
    assert imported, "nothing was read"
    brought = packages_distributions()
    missing = {
        module
        for module in imported
        if not declared & {_canonical(name) for name in brought.get(module, [module])}
    }
    assert missing == set()
