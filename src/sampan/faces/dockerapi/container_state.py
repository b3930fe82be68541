"""How a container is: Docker's `State`, and the sentence of `docker ps`. Pure."""

from typing import Any

from sampan.engine.containers.contract import ContainerDetail, ContainerState, Health
from sampan.faces.dockerapi import times
from sampan.faces.dockerapi.human_durations import human


def document(state: ContainerState) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "Status": state.phase,
        "Running": state.running,
        "Paused": state.phase == "paused",
        "Restarting": state.phase == "restarting",
        "OOMKilled": state.out_of_memory,
        "Dead": state.phase == "dead",
        "Pid": state.process,
        "ExitCode": state.exit_code,
        "Error": state.error,
        "StartedAt": times.written(state.started),
        "FinishedAt": times.written(state.finished),
    }
    if state.health is not None:
        tree["Health"] = _health(state.health)
    return tree


def _health(health: Health) -> dict[str, Any]:
    return {
        "Status": health.status,
        "FailingStreak": health.failing_streak,
        "Log": [
            {
                "Start": times.written(result.started),
                "End": times.written(result.finished),
                "ExitCode": result.exit_code,
                "Output": result.output,
            }
            for result in health.log
        ],
    }


def health_status(container: ContainerDetail) -> str:
    health = container.state.health
    return health.status if health is not None else "none"


def sentence(state: ContainerState, now: int) -> str:
    """`Up 3 minutes (healthy)`, `Exited (0) 2 hours ago` and so on."""
    since_end = human((now - state.finished) // times.SECOND)
    if state.phase == "restarting":
        return f"Restarting ({state.exit_code}) {since_end} ago"
    if state.running:
        return f"Up {human((now - state.started) // times.SECOND)}{_addition(state)}"
    if state.phase == "removing":
        return "Removal In Progress"
    if state.phase == "dead":
        return "Dead"
    if not state.started:
        return "Created"
    return f"Exited ({state.exit_code}) {since_end} ago" if state.finished else ""


def _addition(state: ContainerState) -> str:
    if state.phase == "paused":
        return " (Paused)"
    if state.health is None or state.health.status == "none":
        return ""
    status = state.health.status
    return " (health: starting)" if status == "starting" else f" ({status})"
