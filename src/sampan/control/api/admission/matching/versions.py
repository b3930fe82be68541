"""Objects of a write in another version of their resource, for hooks that know only that."""

from typing import Any

import msgspec

from sampan.control.api.refusal import Refused
from sampan.kubernetes.kinds.kind import ConversionFailed, Kind, Object
from sampan.kubernetes.machinery import status

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


async def in_version(tree: Object | None, given: Kind, wanted: Kind) -> Object | None:
    """The tree itself where the versions are the same. Raises Refused (500)."""
    if tree is None or given.resource == wanted.resource:
        return tree
    value = _encode(tree)
    try:
        if given.to_stored is not None:
            value = given.to_stored(value)
        elif given.conversion is not None:
            value = await given.conversion.to_stored(value)
        if wanted.from_stored is not None:
            value = wanted.from_stored(value)
        elif wanted.conversion is not None:
            value = (await wanted.conversion.from_stored([value]))[0]
    except ConversionFailed as error:
        raise Refused(status.failure(500, "InternalError", str(error))) from error
    return _decode(value)
