"""When a container is healthy."""

from sampan.engine.containers import health
from sampan.engine.containers.configuration import HealthConfiguration
from sampan.engine.containers.contract import Health, HealthResult

_SECOND = 1_000_000_000


def result(exit_code: int) -> HealthResult:
    return HealthResult(started=1, finished=2, exit_code=exit_code, output="")


def test_as_many_failures_in_a_row_as_there_are_retries_make_it_ill() -> None:
    state = Health()
    for _ in range(2):
        state = health.after(state, result(1), retries=3, starting=False)
        assert state.status == "starting"
    state = health.after(state, result(1), retries=3, starting=False)
    assert (state.status, state.failing_streak) == ("unhealthy", 3)
    state = health.after(state, result(0), retries=3, starting=False)
    assert (state.status, state.failing_streak) == ("healthy", 0)


def test_failures_of_the_start_period_do_not_count_until_it_was_healthy() -> None:
    state = health.after(Health(), result(1), retries=1, starting=True)
    assert (state.status, state.failing_streak) == ("starting", 0)
    state = health.after(state, result(0), retries=1, starting=True)
    assert health.after(state, result(1), retries=1, starting=True).status == "unhealthy"


def test_the_last_five_results_are_kept() -> None:
    state = Health()
    for code in range(1, 9):
        state = health.after(state, result(code), retries=99, starting=False)
    assert [entry.exit_code for entry in state.log] == [4, 5, 6, 7, 8]


def test_commands_come_in_three_forms() -> None:
    def command(*test: str) -> tuple[str, ...]:
        return health.command_of(HealthConfiguration(test=test), None)

    assert command("CMD", "a", "b") == ("a", "b")
    assert command("CMD-SHELL", "a b") == ("/bin/sh", "-c", "a b")
    assert command("NONE") == ()
    assert health.command_of(None, None) == ()
    assert health.beginning(HealthConfiguration(test=("NONE",))) is None


def test_checks_come_closer_together_while_it_starts_up() -> None:
    check = HealthConfiguration(interval=30 * _SECOND, start_period=60 * _SECOND)
    assert health.pause_before_check(check, starting=True) == 5
    assert health.pause_before_check(check, starting=False) == 30
