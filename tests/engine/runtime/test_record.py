"""What is true of a container's record after a crash, and after a restart of the machine."""

import msgspec

from sampan.engine.configuration import ContainerConfiguration
from sampan.engine.runtime.record import (
    ContainerRecord,
    after_restart,
    reconfigured,
    stepped_back,
)
from sampan.host.processes import ProcessIdentity

PROCESS = ProcessIdentity(10, 20)


def record(**changes: object) -> ContainerRecord:
    values = {
        "identifier": "id",
        "configuration": ContainerConfiguration(
            name="n", image="i", cgroup_parent="group", log_path=""
        ),
        "image_digest": "sha256:x",
        "stop_signal": "",
        "boot": "first",
        "process": PROCESS,
        "monitor": PROCESS,
    }
    return ContainerRecord(**values | changes)


def test_of_the_same_boot_a_record_stays_as_it_is() -> None:
    running = record(phase="running")
    assert after_restart(running, "first", 5) == running


def test_after_a_restart_of_the_machine_what_ran_has_ended() -> None:
    for phase in ("running", "starting"):
        found = after_restart(record(phase=phase, paused=True, started=3), "second", 5)
        assert (found.phase, found.exit_code, found.finished) == ("exited", 255, 5)
        assert (found.process, found.paused) == (None, False)
        assert "anew" in found.message


def test_after_a_restart_what_waited_is_as_before_it_was_prepared() -> None:
    for phase in ("prepared", "preparing"):
        assert after_restart(record(phase=phase), "second", 5).phase == "created"
        found = after_restart(record(phase=phase, finished=2, exit_code=7), "second", 5)
        assert (found.phase, found.exit_code) == ("exited", 7)


def test_what_never_ran_or_had_ended_is_untouched_by_a_restart() -> None:
    for phase in ("created", "exited"):
        former = record(phase=phase, process=None, monitor=None)
        assert after_restart(former, "second", 5) == former


def test_stepping_back_forgets_the_process_and_the_start() -> None:
    found = stepped_back(record(phase="starting", started=9, finished=4))
    assert (found.phase, found.started, found.process) == ("exited", 4, None)


def test_name_image_and_maps_are_for_life() -> None:
    wanted = msgspec.structs.replace(
        record().configuration, name="other", image="other", environment={"A": "1"}
    )
    found = reconfigured(record(), wanted)
    assert (found.name, found.image, found.environment) == ("n", "i", {"A": "1"})
