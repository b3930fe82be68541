"""One user's flood leaves room for everybody else."""

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.real.api.served import Kubectl, play

pytestmark = pytest.mark.real

ASKING = Path(__file__).with_name("asking.py")
MAPS = "/api/v1/namespaces/default/configmaps"
NUMBER, CONNECTIONS, SECONDS = 300, 200, 8.0


async def prepare(kubectl: Kubectl) -> list[str]:
    """Objects to list, and two accounts that may read them; gives the server's address and the
    file of its authority."""
    items = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"map-{number}"},
            "data": {"text": "x" * 1000},
        }
        for number in range(NUMBER)
    ]
    many = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    said = await kubectl("create", "-f", "-", text=many)
    assert not said.startswith("error"), said
    await kubectl("create", "role", "reader", "--verb=get,list", "--resource=configmaps")
    for name in ("loud", "quiet"):
        await kubectl("create", "serviceaccount", name)
        account = f"--serviceaccount=default:{name}"
        await kubectl("create", "rolebinding", name, "--role=reader", account)
        (kubectl.folder / name).write_text((await kubectl("create", "token", name)).strip())
    cluster = yaml.safe_load((kubectl.folder / "kubeconfig").read_text())["clusters"][0]["cluster"]
    authority = kubectl.folder / "authority.crt"
    authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    return [cluster["server"], str(authority)]


async def asked(server: list[str], token: Path, *arguments: str) -> Any:
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ASKING),
        *server,
        str(token),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            out, complaint = await program.communicate()
    finally:
        if program.returncode is None:
            program.kill()
    assert program.returncode == 0, complaint.decode()
    return json.loads(out)


def test_while_one_user_floods_another_is_answered_soon(tmp_path: Path) -> None:
    async def story(kubectl: Kubectl) -> None:
        server = await prepare(kubectl)
        flood = asked(
            server,
            kubectl.folder / "loud",
            MAPS,
            f"{MAPS}?labelSelector=a%3Db",
            f"--connections={CONNECTIONS}",
            f"--seconds={SECONDS}",
        )
        quiet = asked(
            server,
            kubectl.folder / "quiet",
            f"{MAPS}/map-1",
            f"--seconds={SECONDS}",
            "--pause=0.02",
        )
        loud, seen = await asyncio.gather(flood, quiet)
        assert loud["codes"]["200"] > 10 * CONNECTIONS
        assert set(loud["codes"]) <= {"200", "429"}
        assert set(seen["codes"]) == {"200"}
        assert len(seen["seconds"]) >= 50
        p99 = seen["seconds"][int(len(seen["seconds"]) * 0.99)]
        assert p99 < 1, p99

    play(tmp_path, story)
