"""`login` and `logout`: who one is at a registry, asked there, and kept where docker keeps it."""

import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import click

from sampan.engine.contract import EngineError
from sampan.engine.images.credentials import Credentials
from sampan.faces.cli.engine.asking import EngineFailure, engine
from sampan.faces.cli.engine.user_file import user_file
from sampan.faces.cli.session import Session

_Result = TypeVar("_Result")


@click.command(help="Tell a registry who you are, and remember it.")
@click.option("-u", "--username", "user", default="")
@click.option("-p", "--password", default="", help="Seen by others on this machine.")
@click.option("--password-stdin", "reads_password", is_flag=True, help="From standard input.")
@click.argument("server")
@click.pass_obj
def login(session: Session, /, server: str, user: str, password: str, reads_password: bool) -> None:
    if reads_password:
        if password:
            raise EngineFailure("--password and --password-stdin are mutually exclusive")
        if not user:
            raise EngineFailure("Must provide --username with --password-stdin")
        password = sys.stdin.read().rstrip("\r\n")
    elif password:
        _warn("Using --password via the CLI is insecure. Use --password-stdin.")
    if not (user and password) and not sys.stdin.isatty():
        raise EngineFailure("Cannot perform an interactive login from a non TTY device")
    user = user or click.prompt("Username")
    password = password or click.prompt("Password", hide_input=True)
    # What starts helpers takes longer to import than a help page may.
    from sampan.engine.images.kept_credentials import keep_credentials

    asked = {"username": user, "password": password, "serveraddress": server}
    with engine(session) as client:
        answer = client.document("POST", "/auth", body=asked)
    token = answer.get("IdentityToken") or ""
    known = Credentials(user=user, password=password, identity_token=token, server=server)
    file = user_file()
    if _done(keep_credentials(file, known)):
        _warn(f"Your credentials are stored unencrypted in '{file}'.")
    click.echo("Login Succeeded")


@click.command(help="Forget who you are at a registry.")
@click.argument("server")
def logout(server: str) -> None:
    from sampan.engine.images.kept_credentials import forget_credentials

    if _done(forget_credentials(user_file(), server)):
        click.echo(f"Removing login credentials for {server}")
    else:
        click.echo(f"Not logged in to {server}")


def _warn(text: str) -> None:
    click.echo(f"WARNING! {text}", err=True)


def _done(work: Coroutine[Any, Any, _Result]) -> _Result:
    import asyncio

    try:
        return asyncio.run(work)
    except (EngineError, OSError) as error:
        raise EngineFailure(str(error)) from error
