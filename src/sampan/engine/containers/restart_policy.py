"""When a container that has ended is started again, and after how long: pure decisions.

Docker's rules (Docker manual, "Start containers automatically"): the pause doubles from 100 ms
to a minute, and begins anew after a run of more than ten seconds.
"""

from sampan.engine.containers.configuration import RestartPolicy
from sampan.engine.contract import InvalidConfiguration

FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 60.0
_STEADY_SECONDS = 10.0
_KNOWN = ("", "no", "always", "on-failure", "unless-stopped")


def checked(policy: RestartPolicy) -> RestartPolicy:
    """Raises InvalidConfiguration in Docker's words."""
    if policy.name not in _KNOWN:
        raise InvalidConfiguration(
            f"invalid restart policy: unknown policy '{policy.name[:100]}'; use one of "
            "'no', 'always', 'on-failure', or 'unless-stopped'"
        )
    if policy.name != "on-failure" and policy.maximum_retry_count:
        raise InvalidConfiguration(
            "invalid restart policy: maximum retry count can only be used with 'on-failure'"
            + (" and cannot be negative" if policy.maximum_retry_count < 0 else "")
        )
    if policy.maximum_retry_count < 0:
        raise InvalidConfiguration("invalid restart policy: maximum retry count cannot be negative")
    return policy


def restarts(policy: RestartPolicy, exit_code: int, *, by_hand: bool, count: int) -> bool:
    """Whether a container whose run has just ended is started again.

    `by_hand`: somebody stopped it; `count`: how often it was started again before.
    """
    return not by_hand and _wants(policy, exit_code, by_hand=False, count=count)


def restored(policy: RestartPolicy, exit_code: int, *, by_hand: bool, count: int) -> bool:
    """Whether a container that ran once, but doesn't now, runs after the engine's own start."""
    return _wants(policy, exit_code, by_hand=by_hand, count=count)


def next_pause(before: float, ran_seconds: float) -> float:
    """The pause before a restart; `before` is the one that came before it, 0 for none."""
    if before == 0 or ran_seconds > _STEADY_SECONDS:
        return FIRST_PAUSE
    return min(before * 2, _LONGEST_PAUSE)


def _wants(policy: RestartPolicy, exit_code: int, *, by_hand: bool, count: int) -> bool:
    if policy.name == "on-failure":
        most = policy.maximum_retry_count
        return exit_code != 0 and not by_hand and (most == 0 or count < most)
    return policy.name == "always" or (policy.name == "unless-stopped" and not by_hand)
