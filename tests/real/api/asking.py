"""A program that asks an API server over many TLS connections for a while.

Each connection asks for the given paths in turn, the next as soon as the last is answered and the
pause is over. Prints how often which status was answered, and the seconds that each took.
"""

import argparse
import asyncio
import json
import ssl
import time
from collections import Counter
from itertools import cycle
from pathlib import Path

import aiohttp


class Tally:
    def __init__(self) -> None:
        self.codes: Counter[str] = Counter()
        self.seconds: list[float] = []


async def ask(options: argparse.Namespace, until: float, tally: Tally) -> None:
    """One connection of its own."""
    context = ssl.create_default_context(cafile=options.authority)
    token = Path(options.token).read_text()
    async with aiohttp.ClientSession(
        options.server,
        headers={"Authorization": f"Bearer {token}"},
        connector=aiohttp.TCPConnector(limit=1, ssl=context),
    ) as session:
        for path in cycle(options.paths):
            if time.monotonic() >= until:
                return
            began = time.perf_counter()
            async with session.get(path) as answer:
                await answer.read()
            tally.codes[str(answer.status)] += 1
            tally.seconds.append(time.perf_counter() - began)
            await asyncio.sleep(options.pause)


async def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("server", "authority", "token"):
        parser.add_argument(name)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--pause", type=float, default=0)
    options = parser.parse_args()
    tally, until = Tally(), time.monotonic() + options.seconds
    await asyncio.gather(*(ask(options, until, tally) for _ in range(options.connections)))
    print(json.dumps({"codes": tally.codes, "seconds": sorted(tally.seconds)}))


asyncio.run(main())
