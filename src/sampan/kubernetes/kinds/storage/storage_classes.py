"""StorageClass and VolumeAttributesClass: which volumes there are to be had."""

from collections.abc import Iterable, Iterator

import msgspec

from sampan.kubernetes.kinds.columns import AGE, NAME, text
from sampan.kubernetes.kinds.field_rules import check_choice, check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_immutable, check_labels
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import STORAGE_CLASSES, VOLUME_ATTRIBUTES_CLASSES
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import (
    duplicate,
    forbidden,
    invalid,
    required,
    too_long,
)

_RECLAIM_POLICIES = ("Delete", "Retain")
_BINDING_MODES = ("Immediate", "WaitForFirstConsumer")
_MAXIMUM_PARAMETERS = 512
_MAXIMUM_PARAMETERS_SIZE = 256 << 10
_IS_DEFAULT = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)


def _default(storage_class: Object) -> None:
    storage_class.setdefault("reclaimPolicy", "Delete")
    storage_class.setdefault("volumeBindingMode", "Immediate")


def _rules(new: Object, old: Object | None) -> Iterator[Cause]:
    provisioner = new.get("provisioner", "")
    if not provisioner:
        yield required("provisioner")
    else:
        yield from check_text(names.qualified_name, provisioner.lower(), "provisioner")
    yield from _check_parameters(new.get("parameters") or {}, empty_allowed=True)
    yield from check_choice(new, "reclaimPolicy", _RECLAIM_POLICIES, "")
    yield from check_choice(new, "volumeBindingMode", _BINDING_MODES, "")
    yield from _check_topologies(new.get("allowedTopologies") or [])
    if old is not None:
        yield from _check_kept(new, old, ("parameters", "provisioner", "reclaimPolicy"))
        mode = "volumeBindingMode"
        yield from check_immutable(new.get(mode), old.get(mode), mode)


def _check_kept(new: Object, old: Object, keys: Iterable[str]) -> Iterator[Cause]:
    for key in keys:
        if (new.get(key) or None) != (old.get(key) or None):
            yield forbidden(key, f"updates to {key} are forbidden.")


def _check_parameters(parameters: dict[str, str], *, empty_allowed: bool) -> Iterator[Cause]:
    if len(parameters) > _MAXIMUM_PARAMETERS:
        yield too_long("parameters", _MAXIMUM_PARAMETERS)
        return
    if "" in parameters:
        yield invalid("parameters", "", "field can not be empty.")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items())
    if size > _MAXIMUM_PARAMETERS_SIZE:
        yield too_long("parameters", _MAXIMUM_PARAMETERS_SIZE)
    if not parameters and not empty_allowed:
        yield required("parameters", "must contain at least one key/value pair")


def _check_topologies(terms: list[Object]) -> Iterator[Cause]:
    seen: list[dict[str, list[str]]] = []
    for index, term in enumerate(terms):
        field = f"allowedTopologies[{index}]"
        expressions = term.get("matchLabelExpressions") or []
        found: dict[str, list[str]] = {}
        for position, expression in enumerate(expressions):
            path = f"{field}.matchLabelExpressions[{position}]"
            key, values = expression.get("key", ""), expression.get("values") or []
            yield from check_labels({key: ""}, f"{path}.key")
            if not values:
                yield required(f"{path}.values")
            if len(set(values)) < len(values):
                yield duplicate(f"{path}.values", values)
            if key in found:
                yield duplicate(f"{path}.key", key)
            found[key] = sorted(values)
        if found in seen:
            yield duplicate(f"{field}.matchLabelExpressions", "")
        seen.append(found)


def _name(storage_class: Object) -> str:
    """The default class is marked in its name."""
    annotations = storage_class["metadata"].get("annotations") or {}
    chosen = any(annotations.get(key) == "true" for key in _IS_DEFAULT)
    name = storage_class["metadata"].get("name", "")
    return f"{name} (default)" if chosen else str(name)


def _attributes_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    driver = new.get("driverName", "")
    if not driver:
        yield required("driverName")
    else:
        yield from check_text(names.qualified_name, driver.lower(), "driverName")
    yield from _check_parameters(new.get("parameters") or {}, empty_allowed=False)
    if old is not None:
        yield from _check_kept(new, old, ("driverName", "parameters"))


STORAGE_CLASS = make(
    STORAGE_CLASSES,
    default=_default,
    rules=_rules,
    short_names=("sc",),
    columns=(
        msgspec.structs.replace(NAME, cell=lambda obj, _now: _name(obj)),
        text(
            "Provisioner",
            lambda obj: obj.get("provisioner", ""),
            about="Provisioner indicates the type of the provisioner.",
        ),
        text(
            "ReclaimPolicy",
            lambda obj: obj.get("reclaimPolicy", "Delete"),
            about="What becomes of volumes that were made for this class.",
        ),
        text(
            "VolumeBindingMode",
            lambda obj: obj.get("volumeBindingMode", "<unset>"),
            about="When volumes are made and bound.",
        ),
        text(
            "AllowVolumeExpansion",
            lambda obj: "true" if obj.get("allowVolumeExpansion") else "false",
            about="Whether volumes can be made larger.",
        ),
        AGE,
    ),
)
VOLUME_ATTRIBUTES_CLASS = make(
    VOLUME_ATTRIBUTES_CLASSES,
    rules=_attributes_rules,
    short_names=("vac",),
    columns=(
        NAME,
        text("DriverName", lambda obj: obj.get("driverName", ""), about="The driver's name."),
        AGE,
    ),
)
