"""`sampan run --rm IMAGE true`, warm, beside the OCI runtime alone on the same files."""

import json
import shutil
import subprocess
import time
from pathlib import Path

from bench.cluster import IMAGE, BenchCluster, running_cluster
from bench.measurement import Measurement, NotMeasured, quantile, spread

_RUNS = 20
_ALONE = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"'


def measure() -> list[Measurement]:
    with running_cluster(1) as cluster:
        rootfs = cluster.build_image()
        command = cluster.command("run", "--rm", IMAGE, "true")
        ours = _timed(command, cluster)[1:]
        alone = _runtime_alone(cluster, rootfs)
    reference = f"crun alone: p50 {quantile(alone, 0.5) * 1000:.0f} ms" if alone else ""
    return [Measurement("run --rm IMAGE true, warm", spread(ours), "≤ 80 ms", reference)]


def _runtime_alone(cluster: BenchCluster, rootfs: Path) -> list[float]:
    if shutil.which("crun") is None:
        return []
    bundle = rootfs.parent
    subprocess.run(["crun", "spec", "--bundle", str(bundle)], check=True)
    file = bundle / "config.json"
    specification = json.loads(file.read_text())
    specification["process"] |= {"terminal": False, "args": ["true"]}
    file.write_text(json.dumps(specification))
    state = cluster.folder / "crun"
    runtime = ["crun", "--root", str(state), "run", "--bundle", str(bundle), "bench-alone"]
    # The hybrid hierarchy is what crun refuses; the mounts changed here are this bench's own.
    return _timed(["unshare", "--mount", "sh", "-c", _ALONE, "sh", *runtime], cluster)


def _timed(command: list[str], cluster: BenchCluster) -> list[float]:
    seconds = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        finished = subprocess.run(
            command, env=cluster.environment, capture_output=True, timeout=30, check=False
        )
        seconds.append(time.perf_counter() - start)
        if finished.returncode:
            raise NotMeasured(finished.stderr.decode(errors="replace").strip()[-500:])
    return seconds
