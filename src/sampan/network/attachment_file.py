"""The record of which pod has which address, kept over restarts of the agent.

Written anew and renamed, so that a reader never sees half of it. It need not survive a power
cut whole: the namespaces it speaks of do not either.
"""

import os
from ipaddress import IPv4Address
from pathlib import Path

import msgspec

from sampan.network.json_addresses import from_text, to_text


class AttachmentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses by the identifier of what has them, and the last one given out."""

    addresses: dict[str, IPv4Address] = {}
    last: IPv4Address | None = None


def load_attachments(path: Path) -> AttachmentRecord:
    """The record, empty if there is none or if it cannot be read (a power cut tore it)."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=AttachmentRecord, dec_hook=from_text)
    except (FileNotFoundError, msgspec.DecodeError):
        return AttachmentRecord()


def save_attachments(path: Path, record: AttachmentRecord) -> None:
    """Put the record in the place of the one before (OSError)."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.json.encode(record, enc_hook=to_text))
    os.replace(fresh, path)
