"""Packet rules: libnftables in process, each `run` one atomic transaction.

A change takes a fraction of a millisecond where a spawned `nft` takes ten times that
(libnftables(3)). What the rules say is not known here.
"""

import ctypes
from typing import Self

from sampan.host.nftables_netlink import NftablesSocket

_LIBRARY = "libnftables.so.1"


class NftablesError(Exception):
    """The ruleset refused the commands; nothing of them was done. The text is nft's own."""


def _load() -> ctypes.CDLL:
    library = ctypes.CDLL(_LIBRARY)
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_new.argtypes = (ctypes.c_uint32,)
    for name in ("nft_ctx_free", "nft_ctx_buffer_output", "nft_ctx_buffer_error"):
        getattr(library, name).argtypes = (ctypes.c_void_p,)
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).argtypes = (ctypes.c_void_p,)
        getattr(library, name).restype = ctypes.c_char_p
    library.nft_run_cmd_from_buffer.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
    return library


class Nftables:
    """The ruleset of the network namespace that the calling thread was in at the start."""

    def __init__(self) -> None:
        """NftablesError when the library is missing or the kernel refuses."""
        try:
            self._library = _load()
        except OSError as error:
            raise NftablesError(
                f"{_LIBRARY} cannot be loaded ({error}): install nftables"
            ) from None
        self._context = self._library.nft_ctx_new(0)
        if not self._context:
            raise NftablesError("the kernel offers no nftables")
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the library's socket; the rules stay."""
        if self._context:
            self._library.nft_ctx_free(self._context)
            self._context = None

    def run(self, commands: str) -> str:
        """Do all of `commands` in one transaction or none of them (NftablesError)."""
        failed = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
        output: bytes = self._library.nft_ctx_get_output_buffer(self._context)
        error: bytes = self._library.nft_ctx_get_error_buffer(self._context)
        if failed:
            raise NftablesError(error.decode(errors="replace").strip() or "nftables refused")
        return output.decode(errors="replace")


class KernelRules(NftablesSocket):
    """Both ways to the ruleset of the calling thread's network namespace: whole commands, and
    quick looks and changes of elements. Raises NftablesError and NetlinkError."""

    def run(self, commands: str) -> None:
        """Do all of `commands` in one transaction or none of them.

        The library is let go of each time: its cache of the ruleset can be many megabytes.
        """
        with Nftables() as nftables:
            nftables.run(commands)
