"""Puts what a hook has made in the place of the object that is written."""

from sampan.control.api.admission.matching.versions import in_version
from sampan.control.api.admission.write import Write
from sampan.control.api.refusal import Refused
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.machinery import status
from sampan.kubernetes.schema import structure


class Unfit(Exception):
    """What the hook made is no object of the kind."""


async def replace_object(write: Write, target: Kind, made: Object) -> None:
    """`made` is in the target's version; it is held to the schema of the write's.

    Raises Unfit, and Refused (422) for broken rules of the schema.
    """
    if write.form is not None:
        write.new = made
        return
    tree = await in_version(made, target, write.kind)
    if tree is None or not isinstance(tree.get("metadata"), dict):
        raise Unfit("it has no metadata")
    kind = write.kind
    try:
        if kind.custom is not None:
            findings = kind.custom.check(tree)
        else:
            findings = structure.check(kind.definition, tree)
    except structure.WrongType as error:
        raise Unfit(str(error)) from error
    if findings.causes:
        resource = kind.resource
        refusal = status.invalid(resource.group, resource.kind, write.object_name, findings.causes)
        raise Refused(refusal)
    write.new = tree
    kind.default(tree)
