"""`python has_kubectl.py MINOR`: ends with 0 when a kubectl newer than 1.MINOR is there.

Looks on PATH and beside this interpreter.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path


def minor_version(program: str) -> int:
    """Raises OSError, ValueError, CalledProcessError for what is not a kubectl."""
    command = [program, "version", "--client", "-o", "json"]
    output = subprocess.run(command, check=True, capture_output=True).stdout
    return int(json.loads(output)["clientVersion"]["minor"].rstrip("+"))


def main(minor: int) -> bool:
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    program = shutil.which("kubectl", path=places)
    if program is None:
        return False
    try:
        return minor_version(program) > minor
    except (OSError, ValueError, KeyError, subprocess.CalledProcessError):
        return False


if __name__ == "__main__":
    sys.exit(0 if main(int(sys.argv[1])) else 1)
