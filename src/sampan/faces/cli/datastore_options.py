"""The options that name a server's datastore; each is an environment variable, too."""

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import click

from sampan.foundation.datastore import (
    AUTHORITY_VARIABLE,
    CERTIFICATE_VARIABLE,
    KEY_VARIABLE,
    VARIABLE,
    InvalidDatastore,
    datastore_of,
)
from sampan.foundation.settings import Instance

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OPTIONS = (
    click.option(
        "--datastore",
        envvar=VARIABLE,
        metavar="URL",
        help="Where objects are kept: sqlite, or etcd://HOST:PORT,HOST:PORT[?prefix=/NAME].  "
        "[default: as the last time, or sqlite]",
    ),
    click.option(
        "--datastore-ca",
        envvar=AUTHORITY_VARIABLE,
        type=_FILE,
        help="The authority of the datastore's certificates; connections are TLS then.",
    ),
    click.option(
        "--datastore-cert",
        envvar=CERTIFICATE_VARIABLE,
        type=_FILE,
        help="The certificate that is shown to the datastore.",
    ),
    click.option(
        "--datastore-key", envvar=KEY_VARIABLE, type=_FILE, help="The key of that certificate."
    ),
)


def datastore_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the four options, which `datastore_variables` takes."""
    return reduce(lambda made, option: option(made), reversed(_OPTIONS), command)


def datastore_variables(
    instance: Instance,
    *,
    datastore: str | None,
    datastore_ca: Path | None,
    datastore_cert: Path | None,
    datastore_key: Path | None,
) -> dict[str, str]:
    """The environment in which the server finds what was chosen: nothing where nothing was.

    Raises BadParameter.
    """
    given = {
        VARIABLE: datastore,
        AUTHORITY_VARIABLE: datastore_ca and datastore_ca.absolute(),
        CERTIFICATE_VARIABLE: datastore_cert and datastore_cert.absolute(),
        KEY_VARIABLE: datastore_key and datastore_key.absolute(),
    }
    variables = {name: str(value) for name, value in given.items() if value}
    try:
        datastore_of(variables, instance.full_name)
    except InvalidDatastore as failure:
        raise click.BadParameter(str(failure), param_hint="--datastore") from failure
    return variables
