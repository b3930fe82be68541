"""The outermost stage: whatever happens inside, a client gets one well-formed answer.

Refusals become Status bodies, warnings become headers, and what nobody foresaw is logged and
answered with 500 and no detail.
"""

import logging

from sampan.control.api.call import Call, Handler
from sampan.control.api.forms.rendering import status_answer
from sampan.control.api.refusal import Refused
from sampan.foundation.wire.message import BodyTooLarge, Response
from sampan.kubernetes.machinery import status
from sampan.store.contract import StoreError, TooLarge, Unavailable

_log = logging.getLogger("sampan.api")
_MOST_WARNINGS = 32
_LONGEST_WARNING = 256


async def answer(call: Call, following: Handler) -> Response:
    """Never raises anything but cancellation."""
    request = call.request
    try:
        response = await following(call)
    except Refused as refusal:
        response = status_answer(refusal.status, request, refusal.headers)
    except BodyTooLarge as error:
        response = status_answer(status.too_large(error.maximum), request)
    except TooLarge as error:
        response = status_answer(status.failure(413, "RequestEntityTooLarge", str(error)), request)
    except Unavailable as error:
        response = status_answer(
            status.service_unavailable(str(error)), request, {"Retry-After": "1"}
        )
    except StoreError:
        _log.exception("the store failed")
        response = status_answer(status.internal(), request)
    except TimeoutError:
        response = status_answer(status.timeout("the request did not complete in time"), request)
    except Exception:  # noqa: BLE001 - logged whole; clients never see internals
        _log.exception("%s %s failed", request.method, request.path)
        response = status_answer(status.internal(), request)
    if call.warnings:
        response.headers = {**response.headers, "Warning": _warning_header(call.warnings)}
    return response


def _warning_header(warnings: list[str]) -> str:
    """RFC 9111's old Warning field, as Kubernetes uses it: code 299, quoted text."""
    return ", ".join(f'299 - "{_quoted(it)}"' for it in warnings[:_MOST_WARNINGS])


def _quoted(text: str) -> str:
    printable = "".join(sign if sign.isprintable() else "?" for sign in text[:_LONGEST_WARNING])
    ascii_only = printable.encode("ascii", "replace").decode()
    return ascii_only.replace("\\", "\\\\").replace('"', '\\"')
