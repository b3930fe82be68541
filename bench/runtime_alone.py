"""The OCI runtime with no engine around it: what `run` can't be quicker than."""

import json
import subprocess
import tempfile
import time
from pathlib import Path

from bench.engines import WITHOUT_UNIFIED
from bench.image_root import gather_root
from bench.measurement import NotMeasured


def runtime_alone(runs: int) -> list[float]:
    """Seconds of each of some runs of `true` by crun."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        bundle = gather_root(Path(name)).parent
        subprocess.run(["crun", "spec", "--bundle", str(bundle)], check=True)
        file = bundle / "config.json"
        specification = json.loads(file.read_text())
        specification["process"] |= {"terminal": False, "args": ["true"]}
        file.write_text(json.dumps(specification))
        runtime = ["crun", "--root", f"{name}/state", "run", "--bundle", str(bundle), "bench-alone"]
        command = ["unshare", "--mount", "sh", "-c", WITHOUT_UNIFIED, "sh", *runtime]
        return [_seconds(command) for _ in range(runs + 1)][1:]


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    if done.returncode:
        raise NotMeasured(done.stderr.decode(errors="replace").strip()[-500:])
    return time.perf_counter() - start
