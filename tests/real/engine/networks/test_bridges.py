"""Containers on bridges reach whom they should, and nobody else."""

from pathlib import Path

import pytest
from tests.real.engine.networks.own_host import (
    MACHINE,
    OUTSIDE,
    Host,
    address,
    fetch,
    on_own_host,
    reaches,
)

pytestmark = pytest.mark.real


def test_containers_of_one_bridge_reach_one_another_and_the_world(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        first, second = await host.run("first"), await host.run("second")
        assert (address(first), address(second)) == ("10.45.0.2", "10.45.0.3")
        host.serve(second.namespace, 80, "second")
        assert await fetch(first.namespace, address(second), 80) == "second 10.45.0.2"
        assert await fetch(host.here, address(second), 80) == "second 10.45.0.1"
        with host.neighbour() as outside:
            host.serve(outside, 80, "outside")
            said = await fetch(first.namespace, str(OUTSIDE.ip), 80)
            assert said == f"outside {MACHINE.ip}"
            assert not await reaches(outside, address(second), 80)

    on_own_host(tmp_path, body)
