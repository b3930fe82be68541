"""Volumes with real mounts, in a mount namespace of the test's own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root"),
]

SOURCE = Path(__file__).parents[3] / "src"
PRIVATE_MOUNTS = ("unshare", "--mount", "--propagation", "private")
PRELUDE = """
import json, os, sys
from pathlib import Path
import msgspec
from sampan.node.pod_view import Pod
from sampan.node.references import MissingReference
from sampan.node.volumes import sub_path
from sampan.node.volumes.memory_folder import keep_in_memory
from sampan.node.volumes.pod_folders import PodFolders

base = Path(sys.argv[1])
folders = PodFolders(base / "disk", base / "memory")

def pod_with(volumes, mounts):
    container = {"name": "main", "volumeMounts": mounts}
    spec = {"containers": [container], "volumes": volumes}
    raw = {"metadata": {"name": "web"}, "spec": spec}
    return msgspec.json.decode(json.dumps(raw), type=Pod)

def mounted():
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if line.split()[4].startswith(str(base))]
"""


def inside(script: str, folder: Path) -> object:
    """What a script prints as JSON, run where its mounts are seen by nobody else."""
    answer = subprocess.run(
        [*PRIVATE_MOUNTS, sys.executable, "-c", PRELUDE + script, str(folder)],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def test_a_sub_path_is_bound_and_taken_away_with_the_pod(tmp_path):
    script = """
mounts = [{"name": "data", "mountPath": "/sub", "subPath": "a/b"}]
pod = pod_with([{"name": "data", "emptyDir": {}}], mounts)
folders.make(pod)
for _ in range(3):
    (mount,) = folders.container_mounts(pod, pod.spec.containers[0], {})
inside = folders.disk / "volumes/data/a/b"
(inside / "file").write_text("x")
seen = (Path(mount.source) / "file").read_text()
held = len(mounted())
folders.remove()
print(json.dumps([seen, held, mounted(), folders.disk.exists()]))
"""
    assert inside(script, tmp_path) == ["x", 1, [], False]


@pytest.mark.parametrize(
    ("link", "part"),
    [
        ("/etc", "link/passwd"),
        ("../../../../../../etc", "link/passwd"),
        ("/etc/passwd", "link"),
        ("/proc/self/root/etc", "link/passwd"),
    ],
)
def test_a_sub_path_never_leads_to_the_host(tmp_path, link, part):
    script = f"""
pod = pod_with([{{"name": "data", "emptyDir": {{}}}}], [])
folders.make(pod)
volume = folders.disk / "volumes/data"
os.symlink({link!r}, volume / "link")
target = base / "target"
try:
    sub_path.bind_part(volume, {part!r}, target)
except OSError:
    print(json.dumps("refused"))
else:
    if target.is_dir():
        print(json.dumps("a folder of its own" if not list(target.iterdir()) else "the host"))
    else:
        print(json.dumps("the host" if b"root:" in target.read_bytes() else "own"))
"""
    assert inside(script, tmp_path) in {"refused", "a folder of its own", "own"}


@pytest.mark.parametrize("part", ["../x", "/etc", "a/../../x"])
def test_a_sub_path_that_is_written_to_lead_out_is_refused(tmp_path, part):
    script = f"""
try:
    sub_path.bind_part(base, {part!r}, base / "target")
except MissingReference as error:
    print(json.dumps("refused"))
"""
    assert inside(script, tmp_path) == "refused"


def test_a_part_that_is_swapped_after_the_mount_changes_nothing(tmp_path):
    script = """
mounts = [{"name": "data", "mountPath": "/sub", "subPath": "part"}]
pod = pod_with([{"name": "data", "emptyDir": {}}], mounts)
folders.make(pod)
(mount,) = folders.container_mounts(pod, pod.spec.containers[0], {})
part = folders.disk / "volumes/data/part"
part.rename(part.with_name("away"))
os.symlink("/etc", part)
print(json.dumps(sorted(os.listdir(mount.source))))
"""
    assert inside(script, tmp_path) == []


SWAPS = """
import contextlib, ctypes, signal, time

volume, outside, target = base / "volume", base / "outside", base / "target"
for folder in (volume / "part", outside):
    folder.mkdir(parents=True)
(volume / "part" / "own").touch()
(outside / "secret").touch()
os.symlink(outside, volume / "link")

def swap_for_ever():
    libc, exchange = ctypes.CDLL(None), 2
    names = [os.fsencode(volume / name) for name in ("part", "link")]
    while True:
        libc.renameat2(-100, names[0], -100, names[1], exchange)

def by_name():
    if (volume / "part").resolve().is_relative_to(volume):
        target.mkdir(exist_ok=True)
        sub_path.mounts.mount_bind(str(volume / "part"), str(target))

def by_what_was_opened():
    sub_path.bind_part(volume, "part", target)

def shown_outside(bind, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            bind()
        shown = os.listdir(target) if target.exists() else []
        if str(target) in mounted():
            sub_path.mounts.unmount(target, lazily=True)
        if "secret" in shown:
            return True
    return False

swapping = os.fork()
if swapping == 0:
    swap_for_ever()
try:
    outcome = [shown_outside(by_name, 10), shown_outside(by_what_was_opened, 1)]
finally:
    os.kill(swapping, signal.SIGKILL)
    os.waitpid(swapping, 0)
print(json.dumps(outcome))
"""


def test_a_part_that_is_swapped_for_a_link_while_it_is_mounted(tmp_path):
    """A check and then a mount by name is led out; the node's own mount never is."""
    assert inside(SWAPS, tmp_path) == [True, False]


def test_a_repository_is_never_fetched_into_a_volume(tmp_path):
    """Its hooks would be run by the node: such volumes are refused, and no program starts."""
    script = """
(base / "repository").mkdir()
source = {"repository": f"file://{base}/repository", "directory": "../../x"}
pod = pod_with([{"name": "code", "gitRepo": source}], [{"name": "code", "mountPath": "/c"}])
started = []
sys.addaudithook(lambda event, _: started.append(event) if event in STARTS else None)
try:
    folders.make(pod)
except MissingReference as error:
    print(json.dumps([str(error), started, (base / "disk").exists()]))
"""
    starts = 'STARTS = {"subprocess.Popen", "os.posix_spawn", "os.exec", "os.fork", "os.system"}'
    refusal = "the kind of volume 'code' is not supported"
    assert inside(starts + script, tmp_path) == [refusal, [], False]


def test_a_volume_in_memory_is_limited_and_goes(tmp_path):
    script = """
source = {"medium": "Memory", "sizeLimit": "1Mi"}
pod = pod_with([{"name": "fast", "emptyDir": source}], [{"name": "fast", "mountPath": "/fast"}])
folders.make(pod)
folders.make(pod)
(mount,) = folders.container_mounts(pod, pod.spec.containers[0], {})
try:
    (Path(mount.source) / "big").write_bytes(bytes(2 << 20))
    outcome = "unlimited"
except OSError as error:
    outcome = os.strerror(error.errno)
held = len(mounted())
folders.remove()
print(json.dumps([outcome, held, mounted()]))
"""
    assert inside(script, tmp_path) == ["No space left on device", 1, []]


def test_the_hosts_files_survive_the_pods_end(tmp_path):
    script = """
host = base / "host"
(host / "part").mkdir(parents=True)
(host / "part" / "file").write_text("kept")
mounts = [{"name": "host", "mountPath": "/h", "subPath": "part"}]
pod = pod_with([{"name": "host", "hostPath": {"path": str(host)}}], mounts)
folders.make(pod)
folders.container_mounts(pod, pod.spec.containers[0], {})
folders.remove()
print(json.dumps([(host / "part" / "file").read_text(), mounted()]))
"""
    assert inside(script, tmp_path) == ["kept", []]


def test_the_nodes_folder_in_memory_is_made_once(tmp_path):
    script = """
folder = base / "pods"
keep_in_memory(folder, 1 << 20)
(folder / "secret").write_text("x")
keep_in_memory(folder, 1 << 20)
mode = oct(folder.stat().st_mode & 0o777)
print(json.dumps([(folder / "secret").exists(), len(mounted()), mode]))
"""
    assert inside(script, tmp_path) == [True, 1, "0o700"]
