"""What every test leaves behind: no thread, for others fork this process. And what it finds."""

import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.kubernetes.expressions import patience

_GRPC_POLLER = "_poll_wrapper"
# What `make test` has fetched stands in for programs that this machine doesn't have.
_FETCHED = Path(__file__).parents[1] / ".cache" / "bin"
os.environ["PATH"] += f"{os.pathsep}{_FETCHED}"


@pytest.fixture(autouse=True)
def _no_thread_of_expressions_is_left() -> Iterator[None]:
    yield
    patience.end_threads()


@pytest.fixture(autouse=True)
def _no_poller_is_left() -> Iterator[None]:
    """gRPC's thread ends when the last of its channels is collected."""
    yield
    pollers = [thread for thread in threading.enumerate() if _GRPC_POLLER in thread.name]
    if pollers:
        gc.collect()
        for thread in pollers:
            thread.join(5)
