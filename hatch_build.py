"""Turns the published Kubernetes 1.37 definitions into the two compact files Sampan reads.

`definitions-1.37.zst` holds the structure (types, required fields, merge keys, list types),
`descriptions-1.37.zst` the prose that only OpenAPI needs. Both are MessagePack inside zstd.
Hatchling runs this for wheels and for editable installs; `python hatch_build.py` does by hand.
"""

import importlib.util
from pathlib import Path
from typing import Any

import msgspec
import zstandard
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VERSION = "1.37"
SOURCE = f"kubernetes-json-schema/v{VERSION}.0-local/_definitions.json"
TARGET = Path("src/sampan/kubernetes/schema")
REFERENCE = "#/$defs/"

# Definitions whose form the published types do not tell.
SPECIAL_TYPES = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "quantity"},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": "int-or-string"},
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": {"type": "string", "format": "date-time"},
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": {"type": "string", "format": "micro-time"},
}
KEPT_KEYWORDS = {
    "format": "format",
    "required": "required",
    "x-kubernetes-patch-merge-key": "merge_key",
    "x-kubernetes-list-type": "list_type",
    "x-kubernetes-list-map-keys": "list_map_keys",
    "x-kubernetes-map-type": "map_type",
    "x-kubernetes-unions": "unions",
}


def compile_schema(source: dict[str, Any]) -> dict[str, Any]:
    """One published schema in the form of `sampan.kubernetes.schema.definitions.Schema`."""
    schema: dict[str, Any] = {
        name: source[keyword] for keyword, name in KEPT_KEYWORDS.items() if keyword in source
    }
    if "$ref" in source:
        schema["ref"] = source["$ref"].removeprefix(REFERENCE)
    else:
        schema["type"] = _plain_type(source)
    if "x-kubernetes-patch-strategy" in source:
        schema["patch_strategies"] = source["x-kubernetes-patch-strategy"].split(",")
    if "properties" in source:
        schema["properties"] = {
            name: compile_schema(member) for name, member in source["properties"].items()
        }
    for keyword, name in (("items", "items"), ("additionalProperties", "values")):
        if isinstance(source.get(keyword), dict):
            schema[name] = compile_schema(source[keyword])
    return schema


def _plain_type(source: dict[str, Any]) -> str:
    """Optional fields are published as `["string", "null"]`; no type at all means any value."""
    declared = source.get("type", "any")
    if isinstance(declared, list):
        return str(next(name for name in declared if name != "null"))
    return str(declared)


def compile_definition(name: str, source: dict[str, Any]) -> dict[str, Any]:
    """A named definition, with the kinds that it stands for."""
    schema: dict[str, Any] = dict(SPECIAL_TYPES.get(name) or compile_schema(source))
    kinds = source.get("x-kubernetes-group-version-kind", [])
    if kinds:
        schema["kinds"] = [[kind["group"], kind["version"], kind["kind"]] for kind in kinds]
    return schema


def describe(source: dict[str, Any]) -> dict[str, str]:
    """The prose of a definition under "", and that of each of its properties."""
    texts = {"": source.get("description", "")}
    for name, member in source.get("properties", {}).items():
        texts[name] = member.get("description", "")
    return {name: text for name, text in texts.items() if text}


def read_published() -> dict[str, Any]:
    """The published definitions, from the package that the build depends on."""
    package = importlib.util.find_spec("kubernetes_validate")
    if package is None or package.origin is None:
        raise RuntimeError("the build needs the package kubernetes-validate")
    document = msgspec.json.decode((Path(package.origin).parent / SOURCE).read_bytes())
    definitions: dict[str, Any] = document["$defs"]
    return definitions


def compile_all(published: dict[str, Any]) -> tuple[bytes, bytes]:
    """The contents of the definitions file and of the descriptions file."""
    compiled = {name: compile_definition(name, source) for name, source in published.items()}
    kinds = {
        "/".join(kind): name
        for name, schema in compiled.items()
        for kind in schema.get("kinds", [])
        if len(schema["kinds"]) == 1
    }
    encoded = {name: msgspec.Raw(msgspec.msgpack.encode(it)) for name, it in compiled.items()}
    structure = msgspec.msgpack.encode({"kinds": kinds, "definitions": encoded})
    prose = msgspec.msgpack.encode({name: describe(it) for name, it in published.items()})
    compressor = zstandard.ZstdCompressor(level=19)
    return compressor.compress(structure), compressor.compress(prose)


def generate(root: Path) -> list[Path]:
    """Write both files below `root` and give their paths."""
    contents = compile_all(read_published())
    names = (f"definitions-{VERSION}.zst", f"descriptions-{VERSION}.zst")
    paths = [root / TARGET / name for name in names]
    for path, content in zip(paths, contents, strict=True):
        temporary = path.with_suffix(".new")
        temporary.write_bytes(content)
        temporary.replace(path)
    return paths


class SchemaBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Generates the schema files before hatchling collects what goes into the build."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name == "wheel":
            generate(Path(self.root))


if __name__ == "__main__":
    for written in generate(Path(__file__).parent):
        print(written, written.stat().st_size)
