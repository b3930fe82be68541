"""The bounds of fuzzing: seconds by default and the same each time, longer when asked to."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from tests.fuzz.fuzzed_server import FuzzedServer

# How many requests each test tries. Above the default they are drawn anew each time.
EXAMPLES = int(os.environ.get("SAMPAN_FUZZ_EXAMPLES", "0"))
DEFAULT_EXAMPLES = 2000

for name, share in (("fuzz", 1), ("fuzz-slowly", 5)):
    settings.register_profile(
        name,
        max_examples=(EXAMPLES or DEFAULT_EXAMPLES) // share,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def server() -> Iterator[FuzzedServer]:
    """On virtual time."""
    running = FuzzedServer()
    yield running
    running.close()


@pytest.fixture(scope="module")
def patient_server() -> Iterator[FuzzedServer]:
    """On real time."""
    running = FuzzedServer(in_real_time=True)
    yield running
    running.close()
