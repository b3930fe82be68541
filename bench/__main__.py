"""`python -m bench [NAME …]`: measures, and prints work, our figure, the target, the reference.

As root everything runs in network and mount namespaces of its own, without a way out, so that
a benchmark's cluster meets nothing of the machine's; without root only what needs none runs.
"""

import importlib
import os
import resource
import subprocess
import sys

from rich.console import Console
from rich.table import Table

from bench.measurement import Measurement, NotMeasured

_BENCHES = (
    "store_commits",
    "watch_fanout",
    "api_requests",
    "api_restart",
    "cluster_start",
    "pod_start",
    "container_engines",
    "image_pull",
)
_INSIDE = "SAMPAN_BENCH_INSIDE"


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in _BENCHES]
    if unknown:
        sys.stderr.write(f"there is no benchmark {', '.join(unknown)}: {', '.join(_BENCHES)}\n")
        return 2
    # A thousand watchers are as many connections on either side.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if os.geteuid() == 0 and _INSIDE not in os.environ:
        return _inside_own_namespaces(names)
    console = Console(stderr=True)
    rows: list[Measurement] = []
    missing: list[str] = []
    try:
        for name in names or _BENCHES:
            console.print(f"measuring {name} …", highlight=False)
            try:
                rows += importlib.import_module(f"bench.{name}").measure()
            except NotMeasured as reason:
                missing.append(f"{name}: {reason}")
    finally:
        # What has been measured is shown even when a later benchmark breaks.
        Console(width=None if sys.stdout.isatty() else 140).print(_table(rows))
    for line in missing:
        console.print(f"not measured – {line}", highlight=False)
    return 1 if missing else 0


def _inside_own_namespaces(names: list[str]) -> int:
    command = ["unshare", "--net", "--mount", "--propagation", "private", "--"]
    command += ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    command += [sys.executable, "-m", "bench", *names]
    return subprocess.run(command, env={**os.environ, _INSIDE: "1"}, check=False).returncode


def _table(rows: list[Measurement]) -> Table:
    table = Table(title="Sampan, measured on this machine")
    for heading in ("work", "Sampan", "must reach", "reference, same run"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(row.work, row.figure, row.target, row.reference)
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
