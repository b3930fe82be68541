"""Admission of what goes to a subresource in a form of its own, and of connections.

Hooks see a Binding, an Eviction, the options of an `exec`: what the client sent, not the
object that it is about.
"""

from collections.abc import Callable
from typing import Any

from sampan.control.api.admission.write import Form, Write
from sampan.control.api.call import Call, Handler
from sampan.control.api.proxies.target_name import remainder
from sampan.control.api.writing.decoding import Form as BodyForm
from sampan.control.api.writing.writer import Writer
from sampan.foundation.wire.message import Request, Response
from sampan.kubernetes.kinds.kind import Object

Read = Callable[[Request, str], Any]


def _flag(request: Request, name: str) -> Any:
    return request.flag(name)


def _flag_unless_said(request: Request, name: str) -> Any:
    """Output is wanted unless the client says otherwise (v1.PodExecOptions)."""
    return not request.parameter(name) or request.flag(name)


def _text(request: Request, name: str) -> Any:
    return request.parameter(name)


def _proxied_path(request: Request, _name: str) -> Any:
    return remainder(request.path)


def _texts(request: Request, name: str) -> Any:
    return [value for key, value in request.query if key == name]


_STREAMS: dict[str, Read] = {
    "stdin": _flag,
    "stdout": _flag_unless_said,
    "stderr": _flag_unless_said,
    "tty": _flag,
    "container": _text,
}
OPTIONS: dict[str, dict[str, Read]] = {
    "PodExecOptions": {**_STREAMS, "command": _texts},
    "PodAttachOptions": _STREAMS,
    "PodPortForwardOptions": {"ports": _texts},
    "PodProxyOptions": {"path": _proxied_path},
    "ServiceProxyOptions": {"path": _proxied_path},
    "NodeProxyOptions": {"path": _proxied_path},
}
"""What the options of each sort of connection hold, read off the query and the path."""


async def reviewed(
    writer: Writer, call: Call, tree: Object, form: BodyForm, *, dry_run: bool = False
) -> Object:
    """The body as it is after admission. Raises Refused."""
    write = _write(call, tree, Form(form.group_version, form.kind))
    write.dry_run = dry_run
    await writer.review(write)
    return write.object


def connecting(writer: Writer, handler: Handler, options: str) -> Handler:
    """The handler of a connection, behind admission; `options` is the kind of its options."""
    form, fields = Form("v1", options), OPTIONS[options]

    async def handle(call: Call) -> Response:
        read = {name: take(call.request, name) for name, take in fields.items()}
        given = {name: value for name, value in read.items() if value}
        write = _write(call, {"kind": options, "apiVersion": "v1", **given}, form)
        write.connects = True
        await writer.review(write)
        return await handler(call)

    return handle


def _write(call: Call, tree: Object, form: Form) -> Write:
    kind = call.routed
    return Write(
        kind=kind,
        identity=call.identity,
        namespace=call.attributes.namespace if kind.resource.namespaced else "",
        new=tree,
        subresource=call.attributes.subresource,
        warnings=call.warnings,
        form=form,
        name=call.attributes.name,
        request=call.request,
        annotations=call.annotations,
    )
