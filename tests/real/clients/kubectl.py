"""kubectl in one namespace of a cluster, as a person uses it."""

import json
from typing import Any

from tests.real.harness import Cluster


class Kubectl:
    """Call it with arguments for what it prints; it must end well, or `fails` must be told."""

    def __init__(self, cluster: Cluster, namespace: str, minor: int) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.minor = minor

    def __call__(self, *arguments: str, text: str | None = None, fails: bool = False) -> str:
        """What is printed on stdout; on stderr, when it is to fail."""
        answer = self.cluster.kubectl(
            "--namespace", self.namespace, *arguments, minor=self.minor, input=text or ""
        )
        assert (answer.returncode != 0) is fails, f"{answer.stdout}\n{answer.stderr}"
        return answer.stderr if fails else answer.stdout

    def warned(self, *arguments: str) -> str:
        """What is printed on either stream."""
        answer = self.cluster.kubectl(
            "--namespace", self.namespace, *arguments, minor=self.minor, input=""
        )
        assert answer.returncode == 0, f"{answer.stdout}\n{answer.stderr}"
        return answer.stdout + answer.stderr

    def show(self, *arguments: str) -> Any:
        """The object or list, as JSON."""
        return json.loads(self("get", *arguments, "-o", "json"))

    def command(self, *arguments: str) -> list[str]:
        """The command line, to be started in the background."""
        program = self.cluster.kubectl_program(self.minor)
        return [program, "--namespace", self.namespace, *arguments]
