"""`sampan secrets-encrypt`: the keys with which values lie encrypted in the store."""

import os
import secrets
import signal
import time
from datetime import UTC, datetime

import click
import msgspec

from sampan.faces.cli.progress import ProgressLine
from sampan.faces.cli.session import Session, require_root
from sampan.faces.cli.supervisor_client import NotRunning, demand
from sampan.faces.cli.text_table import text_table
from sampan.foundation import encryption_configuration as encryption
from sampan.foundation.pki.files import exclusive
from sampan.foundation.settings import Instance

_LOOK_SECONDS = 0.1


@click.group("secrets-encrypt", help="Show and change the keys that encrypt Secrets in the store.")
def secrets_encrypt() -> None:
    require_root()


@secrets_encrypt.command(help="Show which keys there are, and which one writes.")
@click.pass_obj
def status(session: Session) -> None:
    configuration = _configuration(session.instance)
    renewed = _record(session.instance)
    rows = [
        (", ".join(rule.resources), key.name, _use(rule, number), _done(key.name, renewed))
        for rule in configuration
        for number, key in enumerate(rule.keys)
    ]
    click.echo(text_table(("RESOURCES", "KEY", "USE", "VALUES"), rows))


@secrets_encrypt.command(help="Make a new key, and encrypt everything with it.")
@click.option(
    "--timeout",
    type=click.FloatRange(1),
    default=60,
    show_default=True,
    help="Seconds to wait until every value is encrypted anew.",
)
@click.pass_obj
def rotate(session: Session, timeout: float) -> None:
    instance = session.instance
    path = encryption.path_of(instance)
    with ProgressLine() as progress, exclusive(path.parent):
        server = _server(instance, progress)
        secret = secrets.token_bytes(encryption.KEY_BYTES)
        made = encryption.rotated(_configuration(instance), secret, datetime.now(UTC))
        wanted = encryption.writing_keys(made)
        if not wanted:
            raise click.ClickException(f"{path} encrypts nothing, so there is no key to change")
        encryption.write(path, made)
        os.kill(server, signal.SIGHUP)
        progress("encrypting with the new key")
        values = _renewed(instance, wanted, timeout)
    click.echo(f"{values} values are encrypted with {wanted[0]}")
    click.echo(f"older keys stay in {path}, for backups and what history needs", err=True)


def _configuration(instance: Instance) -> tuple[encryption.EncryptedResources, ...]:
    try:
        return encryption.read(encryption.path_of(instance))
    except FileNotFoundError as failure:
        raise click.ClickException(
            "there is no key yet; the first start of the server makes one"
        ) from failure
    except encryption.InvalidEncryption as failure:
        raise click.ClickException(str(failure)) from failure


def _server(instance: Instance, progress: ProgressLine) -> int:
    """The process to tell."""
    try:
        found = demand(instance, "status", progress=progress)
    except NotRunning:
        found = {"processes": []}
    for item in found["processes"]:
        if item["role"] == "server" and item["process"]:
            return int(item["process"])
    raise click.ClickException("the cluster is not running, and only its server can encrypt anew")


def _record(instance: Instance) -> encryption.Record | None:
    try:
        content = encryption.record_path(instance).read_bytes()
    except FileNotFoundError:
        return None
    return msgspec.json.decode(content, type=encryption.Record)


def _renewed(instance: Instance, wanted: tuple[str, ...], timeout: float) -> int:
    """How many values the server has written with the keys that are wanted."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        record = _record(instance)
        if record is not None and record.keys == wanted:
            return record.values
        time.sleep(_LOOK_SECONDS)
    raise click.ClickException(
        f"the server has not encrypted everything within {timeout:.0f} s; its log tells why: "
        f"{instance.state_folder / 'log' / 'server.log'}"
    )


def _use(rule: encryption.EncryptedResources, number: int) -> str:
    return "writes" if number == 0 and not rule.write_plain else "reads"


def _done(name: str, record: encryption.Record | None) -> str:
    return f"{record.values}, {record.time[:19]}" if record and name in record.keys else "-"
