"""`python -m sampan.daemon INSTANCE NODES`: the supervisor, as `sampan up` starts it.

Writes one byte to descriptor 3 when it takes demands.
"""

import fcntl
import os
import sys

from sampan.daemon import groups
from sampan.daemon.launch import LISTENING_DESCRIPTOR
from sampan.daemon.log_files import log_to_file
from sampan.daemon.supervisor import Supervisor
from sampan.foundation import node_prefix
from sampan.foundation.settings import Instance
from sampan.host import forking
from sampan.host.cgroups import control_groups


def main(name: str, nodes: int) -> None:
    """Raises SystemExit with a message when another supervisor runs this instance."""
    instance = Instance(name=name)
    log_to_file(instance, "supervisor")
    forking.set_process_name("sampan-up")
    instance.run_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(instance.run_folder / "supervisor.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"another supervisor runs the instance {name!r}")
    machine = control_groups()
    machine.create(groups.system(instance))
    machine.add_process(groups.system(instance), os.getpid())

    def listening() -> None:
        os.write(LISTENING_DESCRIPTOR, b"1")
        os.close(LISTENING_DESCRIPTOR)

    Supervisor(instance, os.environ.get(node_prefix.VARIABLE)).run(nodes, listening)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
