"""JSON patches (RFC 6902) and merge patches (RFC 7396).

Strategic merge patches need a schema and are in `strategic_merge`.
"""

from typing import Any

import jsonpatch
import jsonpointer
import msgspec

from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.machinery.codecs import MAXIMUM_DEPTH, depth_exceeds

MAXIMUM_OPERATIONS = 10_000
MAXIMUM_COPIED = 3 << 20
_OPERATIONS = ("add", "copy", "move", "remove", "replace", "test")


class InvalidPatch(ValueError):
    """The patch itself is malformed; the answer is 400."""


class PatchTooLarge(ValueError):
    """The patch holds too many operations, or makes the object grow too much; 413."""


class PatchRefused(ValueError):
    """The patch doesn't fit the object: a failed test, a missing path; the answer is 422."""


def json_patch(current: Object, operations: Any) -> Object:
    """Apply the operations to `current`, a tree of the caller's own, which is changed.

    Raises InvalidPatch, PatchTooLarge, PatchRefused.
    """
    _check_operations(operations)
    copied = 0
    tree: Any = current
    for operation in operations:
        try:
            if operation["op"] == "copy":
                source = jsonpointer.resolve_pointer(tree, operation.get("from", ""))
                copied += len(msgspec.json.encode(source))
                if copied > MAXIMUM_COPIED:
                    raise PatchTooLarge(
                        f"unable to complete copies that add up to more than {MAXIMUM_COPIED} bytes"
                    )
            if not _tests_absence(tree, operation):
                tree = jsonpatch.JsonPatch([operation]).apply(tree, in_place=True)
        except jsonpatch.InvalidJsonPatch as error:
            raise InvalidPatch(str(error)) from error
        except jsonpatch.JsonPatchTestFailed as error:
            raise PatchRefused(f"testing value {operation['path']} failed: test failed") from error
        except (
            jsonpatch.JsonPatchException,
            jsonpointer.JsonPointerException,
            # The library lets these out when a path leads into a value that has no members.
            TypeError,
            KeyError,
            IndexError,
            AttributeError,
        ) as error:
            raise PatchRefused(
                f"{operation['op']} operation does not apply: "
                f"doc is missing path: {operation.get('path')}: missing value"
            ) from error
    if not isinstance(tree, dict):
        raise PatchRefused("the patched object is not an object")
    if depth_exceeds(tree, MAXIMUM_DEPTH):
        raise PatchTooLarge("the patched object is nested too deeply")
    return tree


def _tests_absence(tree: Any, operation: Object) -> bool:
    """Whether an operation tests for null what its object doesn't have: that holds, as in the
    library that Kubernetes patches with."""
    if operation["op"] != "test" or operation.get("value", "") is not None:
        return False
    pointer = jsonpointer.JsonPointer(operation.get("path", ""))
    if not pointer.parts:
        return False
    parent, name = pointer.to_last(tree)
    return isinstance(parent, dict) and name not in parent


def _check_operations(operations: Any) -> None:
    if not isinstance(operations, list):
        raise InvalidPatch("a JSON patch is a list of operations")
    if len(operations) > MAXIMUM_OPERATIONS:
        raise PatchTooLarge(
            f"The allowed maximum operations in a JSON patch is {MAXIMUM_OPERATIONS}, "
            f"got {len(operations)}"
        )
    for operation in operations:
        if not isinstance(operation, dict):
            raise InvalidPatch("every operation of a JSON patch is an object")
        if operation.get("op") not in _OPERATIONS:
            raise PatchRefused(f"Unexpected kind: {operation.get('op', 'unknown')}")
        for key in ("path", "from"):
            if not isinstance(operation.get(key, ""), str):
                raise InvalidPatch(f"an operation's `{key}` is text")


def merge_patch(current: Any, patch: Any) -> Any:
    """The merged value. Neither argument is changed; what did not change is shared."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(current) if isinstance(current, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged
