"""The outermost stage: whatever happens inside, a client gets one well-formed answer.

Refusals become Status bodies, warnings become headers, and what nobody foresaw is logged and
answered with 500 and no detail.
"""

import logging

from sampan.control.api.call import Call, Handler
from sampan.control.api.refusal import Refused, response_of
from sampan.foundation.wire.message import BodyTooLarge, Response
from sampan.kubernetes.machinery import status
from sampan.store.contract import StoreError, TooLarge, Unavailable

_log = logging.getLogger("sampan.api")
_MOST_WARNINGS = 32
_LONGEST_WARNING = 256


async def answer(call: Call, following: Handler) -> Response:
    """Never raises anything but cancellation."""
    try:
        response = await following(call)
    except Refused as refusal:
        response = response_of(refusal.status, refusal.headers)
    except BodyTooLarge as error:
        response = response_of(status.too_large(error.maximum))
    except TooLarge as error:
        response = response_of(status.failure(413, "RequestEntityTooLarge", str(error)))
    except Unavailable as error:
        response = response_of(status.service_unavailable(str(error)), {"Retry-After": "1"})
    except StoreError:
        _log.exception("the store failed")
        response = response_of(status.internal())
    except TimeoutError:
        response = response_of(status.timeout("the request did not complete in time"))
    except Exception:  # noqa: BLE001 - logged whole; clients never see internals
        _log.exception("%s %s failed", call.request.method, call.request.path)
        response = response_of(status.internal())
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
