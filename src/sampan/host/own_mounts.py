"""Work in a thread that has a mount namespace of its own, which is gone with the thread.

What is mounted there is seen by nobody else and needs no unmounting, even after a crash. What
the work is for is not known here.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from sampan.host import mounts
from sampan.host.namespaces import NamespaceKind, unshare

_Result = TypeVar("_Result")


async def in_own_mounts(work: Callable[[], _Result]) -> _Result:
    """The result of `work`, which may block and mount; it is not interrupted when the caller is.

    Raises what it raises, and OSError when there can be no namespace.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Result] = loop.create_future()

    def tell(result: _Result | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failure = None, None
        try:
            unshare(NamespaceKind.MOUNT)
            mounts.stop_propagation()
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is told to the caller
            failure = error
        try:
            loop.call_soon_threadsafe(tell, result, failure)
        except RuntimeError:
            # The loop was closed while the thread worked: nobody waits any more.
            return

    threading.Thread(target=run, name="own-mounts", daemon=True).start()
    return await done
