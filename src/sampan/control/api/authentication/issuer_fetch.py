"""Reads the documents of an issuer outside the cluster: over HTTPS, bounded, no redirects."""

import asyncio
import ssl
from importlib import import_module
from urllib.parse import urlsplit

from sampan.foundation.wire.message import Request, Transport, bounded, let_go

MAXIMUM_BYTES = 1024 * 1024
SECONDS = 10.0


async def fetch(address: str, authorities: str) -> bytes:
    """What lies at `address`, trusting `authorities` (PEM; "" for those of the machine).

    Raises ConnectionError for whatever is not a plain answer of a bounded size in time.
    """
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.netloc:
        raise ConnectionError(f"{address} is not an HTTPS address")
    try:
        context = ssl.create_default_context(cadata=authorities or None)
    except ssl.SSLError as error:
        raise ConnectionError("the issuer's certificate authority can't be read") from error
    # An HTTP client takes long to import, and most clusters have no such issuer.
    module = await asyncio.to_thread(import_module, "sampan.foundation.wire.http_client")
    transport: Transport = module.HttpsTransport(
        f"https://{parts.netloc}", context, largest_body=MAXIMUM_BYTES
    )
    try:
        async with asyncio.timeout(SECONDS):
            return await _answer(transport, parts.path or "/")
    except TimeoutError as error:
        raise ConnectionError(f"{address} did not answer in time") from error
    finally:
        await transport.close()


async def _answer(transport: Transport, path: str) -> bytes:
    response = await transport.send(Request(method="GET", path=path))
    try:
        if response.status != 200:
            raise ConnectionError(f"{path} was answered with {response.status}")
        return await bounded(response.body, MAXIMUM_BYTES)
    finally:
        await let_go(response.body)
