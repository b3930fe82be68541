"""The commands on networks and volumes, with docker's verbs and options."""

from typing import Any

import click

from sampan.faces.cli.engine.asking import (
    LIST_FILTER,
    PRUNE_FILTER,
    WITHOUT_ASKING,
    ask_for_each,
    confirmed,
    engine,
    filters,
    pairs,
)
from sampan.faces.cli.engine.human_values import size
from sampan.faces.cli.engine.inspect_commands import inspect_network, inspect_volume
from sampan.faces.cli.engine.listing import WHOLE, show, with_list_options
from sampan.faces.cli.engine.names import complete_networks, complete_volumes
from sampan.faces.cli.engine.network_rows import (
    NETWORKS,
    VOLUMES,
    natural_order,
    network_row,
    volume_row,
)
from sampan.faces.cli.lazy_group import AliasedGroup
from sampan.faces.cli.session import Session

_ALIASES = {"list": "ls", "remove": "rm"}


@click.group(cls=AliasedGroup, aliases=_ALIASES, help="Networks of containers.")
def network() -> None:
    """Only its commands do anything."""


@network.command("ls", help="List networks.")
@LIST_FILTER
@WHOLE
@with_list_options
@click.pass_obj
def list_networks(
    session: Session, /, filtered: tuple[str, ...], whole: bool, **shown: Any
) -> None:
    with engine(session) as client:
        found = client.document("GET", "/networks", {"filters": filters(filtered)})
    rows = [network_row(item, whole=whole) for item in sorted(found, key=natural_order)]
    show(rows, NETWORKS, documents=found, **shown)


@network.command("create", help="Make a network.")
@click.option("-d", "--driver", default="bridge", show_default=True)
@click.option("--subnet", "subnets", multiple=True, help="A range of addresses.")
@click.option("--gateway", "gateways", multiple=True, help="The bridge's own address.")
@click.option("--ip-range", "ranges", multiple=True, help="Where to take addresses from.")
@click.option("--internal", is_flag=True, help="Nothing leads outwards.")
@click.option("--ipv6", is_flag=True)
@click.option("--attachable", is_flag=True, help="Also by hand.")
@click.option("--aux-address", "taken", multiple=True, metavar="NAME=ADDRESS", help="Not to give.")
@click.option("--ipam-driver", default="default", show_default=True)
@click.option("--ipam-opt", "address_options", multiple=True, metavar="NAME=VALUE")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE")
@click.option("-o", "--opt", "options", multiple=True, metavar="NAME=VALUE")
@click.argument("name")
@click.pass_obj
def create_network(session: Session, /, name: str, **wanted: Any) -> None:
    pools: list[dict[str, Any]] = []
    for index, subnet in enumerate(wanted["subnets"]):
        pool: dict[str, Any] = {"Subnet": subnet}
        if index < len(wanted["gateways"]):
            pool["Gateway"] = wanted["gateways"][index]
        if index < len(wanted["ranges"]):
            pool["IPRange"] = wanted["ranges"][index]
        if not index and wanted["taken"]:
            pool["AuxiliaryAddresses"] = pairs(wanted["taken"])
        pools.append(pool)
    document = {
        "Name": name,
        "Driver": wanted["driver"],
        "Internal": wanted["internal"],
        "Attachable": wanted["attachable"],
        "EnableIPv6": wanted["ipv6"],
        "Labels": pairs(wanted["labels"]),
        "Options": pairs(wanted["options"]),
        "IPAM": {
            "Driver": wanted["ipam_driver"],
            "Options": pairs(wanted["address_options"]),
            "Config": pools,
        },
    }
    with engine(session) as client:
        click.echo(client.document("POST", "/networks/create", None, document)["Id"])


@network.command(help="Put a container on a network.")
@click.option("--ip", "address", default="", help="The address that it gets there.")
@click.option("--ip6", "address6", default="", help="The same for IPv6.")
@click.option("--link-local-ip", "link_local", multiple=True, help="A link-local address.")
@click.option("--alias", "aliases", multiple=True, help="A further name there.")
@click.option("--link", "links", multiple=True, metavar="CONTAINER:NAME")
@click.option("--driver-opt", "options", multiple=True, metavar="NAME=VALUE")
@click.option("--gw-priority", "priority", type=int, default=0, help="The highest leads outside.")
@click.argument("name")
@click.argument("container")
@click.pass_obj
def connect(session: Session, /, name: str, container: str, **wanted: Any) -> None:
    addresses = {
        "IPv4Address": wanted["address"],
        "IPv6Address": wanted["address6"],
        "LinkLocalIPs": list(wanted["link_local"]),
    }
    settings = {
        "Aliases": list(wanted["aliases"]),
        "Links": list(wanted["links"]),
        "DriverOpts": pairs(wanted["options"]),
        "GwPriority": wanted["priority"],
    }
    if any(addresses.values()):
        settings["IPAMConfig"] = {field: value for field, value in addresses.items() if value}
    document = {"Container": container, "EndpointConfig": settings}
    with engine(session) as client:
        client.document("POST", f"/networks/{name}/connect", None, document)


@network.command(help="Take a container off a network.")
@click.option("-f", "--force", is_flag=True)
@click.argument("name")
@click.argument("container")
@click.pass_obj
def disconnect(session: Session, /, name: str, container: str, force: bool) -> None:
    with engine(session) as client:
        document = {"Container": container, "Force": force}
        client.document("POST", f"/networks/{name}/disconnect", None, document)


_NAMED_TOO = click.Option(
    ["-a", "--all", "everything"], is_flag=True, help="Also those that have a name."
)
_COMPLETIONS = {"networks": complete_networks, "volumes": complete_volumes}


def _removal(kind: str) -> click.Command:
    @click.command("rm", help=f"Remove {kind}.")
    @click.option("-f", "--force", is_flag=True)
    @click.argument("names", nargs=-1, required=True, shell_complete=_COMPLETIONS[kind])
    @click.pass_obj
    def rm(session: Session, /, names: tuple[str, ...], force: bool) -> None:
        ask_for_each(session, names, "DELETE", f"/{kind}/{{}}", {"force": force})

    return rm


def _pruning(kind: str, deleted: str) -> click.Command:
    @click.command("prune", help=f"Remove {kind} that nothing uses.")
    @WITHOUT_ASKING
    @PRUNE_FILTER
    @click.pass_obj
    def prune(
        session: Session, /, force: bool, filtered: tuple[str, ...], everything: bool = False
    ) -> None:
        if not confirmed(force, f"Remove {kind} that nothing uses?"):
            return
        wanted = (*filtered, "all=true") if everything else filtered
        with engine(session) as client:
            answer = client.document("POST", f"/{kind}/prune", {"filters": filters(wanted)})
        for name in answer[deleted] or ():
            click.echo(name)
        if "SpaceReclaimed" in answer:
            click.echo(f"Total reclaimed space: {size(answer['SpaceReclaimed'])}")

    if kind == "volumes":
        prune.params.append(_NAMED_TOO)
    return prune


@click.group(cls=AliasedGroup, aliases=_ALIASES, help="Volumes of containers.")
def volume() -> None:
    """Only its commands do anything."""


@volume.command("ls", help="List volumes.")
@LIST_FILTER
@with_list_options
@click.pass_obj
def list_volumes(session: Session, /, filtered: tuple[str, ...], **shown: Any) -> None:
    with engine(session) as client:
        found = client.document("GET", "/volumes", {"filters": filters(filtered)})["Volumes"] or []
    rows = [volume_row(item) for item in sorted(found, key=natural_order)]
    show(rows, VOLUMES, documents=found, **shown)


@volume.command("create", help="Make a volume.")
@click.option("-d", "--driver", default="local", show_default=True)
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE")
@click.option("-o", "--opt", "options", multiple=True, metavar="NAME=VALUE")
@click.argument("name", required=False)
@click.pass_obj
def create_volume(
    session: Session,
    /,
    name: str | None,
    driver: str,
    labels: tuple[str, ...],
    options: tuple[str, ...],
) -> None:
    document = {
        "Name": name or "",
        "Driver": driver,
        "Labels": pairs(labels),
        "DriverOpts": pairs(options),
    }
    with engine(session) as client:
        click.echo(client.document("POST", "/volumes/create", None, document)["Name"])


for _group, _kind, _deleted, _inspect in (
    (network, "networks", "NetworksDeleted", inspect_network),
    (volume, "volumes", "VolumesDeleted", inspect_volume),
):
    _group.add_command(_removal(_kind))
    _group.add_command(_inspect)
    _group.add_command(_pruning(_kind, _deleted))
