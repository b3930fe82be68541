"""The programs `docker-credential-NAME` that keep users' credentials: how they are asked.

They take one word, read a question and print an answer
(https://github.com/docker/docker-credential-helpers).
"""

import os

from sampan.engine.contract import InvalidConfiguration
from sampan.host import processes

_TIMEOUT = 30.0
_NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")


async def ask_helper(helper: str, verb: str, question: bytes) -> processes.CompletedCommand:
    """What the program says to `get`, `store` or `erase`. Raises InvalidConfiguration."""
    if not set(helper.lower()) <= _NAME_LETTERS:
        raise InvalidConfiguration(f"{helper[:80]!r} is not the name of a credential helper")
    told = os.memfd_create("question")
    try:
        os.write(told, question)
        os.lseek(told, 0, os.SEEK_SET)
        return await processes.run(
            ["/usr/bin/env", f"docker-credential-{helper}", verb],
            environment=dict(os.environ),
            stdin=told,
            timeout=_TIMEOUT,
        )
    except TimeoutError as error:
        raise InvalidConfiguration(f"docker-credential-{helper} takes too long") from error
    finally:
        os.close(told)
