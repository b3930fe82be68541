"""`pods/NAME/eviction`: a deletion that may be refused for the sake of others (policy/v1)."""

from typing import Any

import msgspec

from sampan.control.api.call import Call
from sampan.control.api.decoding import Form, decoded
from sampan.control.api.deleting import DeleteOptions, Deleting
from sampan.control.api.refusal import Refused, response_of
from sampan.control.api.updating import object_key
from sampan.foundation.wire.message import Response
from sampan.kubernetes.machinery import status
from sampan.kubernetes.schema.definitions import definition_name

_FORM = Form(definition_name("policy", "v1", "Eviction"), "Eviction", "policy/v1")


class Eviction:
    def __init__(self, deleting: Deleting) -> None:
        self._deleting = deleting

    async def create(self, call: Call) -> Response:
        body = await decoded(call, _FORM)
        given: Any = body.tree.get("deleteOptions") or {}
        try:
            options = msgspec.convert(given, DeleteOptions)
        except msgspec.ValidationError as error:
            raise Refused(status.bad_request(f"deleteOptions: {error}")) from error
        await self._deleting.delete(call, call.routed, object_key(call), options)
        return response_of(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "code": 201,
            }
        )
