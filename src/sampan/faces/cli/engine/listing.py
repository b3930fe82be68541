"""Lists as people ask for them: a table, identifiers, JSON, or lines by a template."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
import msgspec

from sampan.faces.cli.engine.documents import document, document_field
from sampan.faces.cli.templates.filling import Template
from sampan.faces.cli.templates.functions import HEADING_FUNCTIONS
from sampan.faces.cli.templates.values import GoMap, Record, TemplateFailed
from sampan.faces.cli.text_table import aligned

_TABLE = "table"
_JSON = "{{json .}}"


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of something is: its table, a template of fields with their headings, and
    which of the fields is its identifier, which its name."""

    table: str
    headings: Mapping[str, str]
    identifier: str = "ID"
    name: str = "Name"


def with_list_options(command: Any) -> Any:
    """The options of every list: what `show` is given."""
    for option in (
        click.option("-q", "--quiet", is_flag=True, help="Only identifiers."),
        with_template,
        click.option("-o", "--output", type=click.Choice(["text", "json", "name"]), default="text"),
    ):
        command = option(command)
    return command


WHOLE = click.option("--no-trunc", "whole", is_flag=True, help="Don't shorten identifiers.")


def with_template(command: Any) -> Any:
    text = "json, 'table TEMPLATE' or TEMPLATE, in Go's syntax, such as '{{.ID}}'."
    return click.option("--format", "template", default="", help=text)(command)


def show(
    rows: Sequence[Record],
    kind: Kind,
    *,
    documents: Any,
    quiet: bool = False,
    template: str = "",
    output: str = "text",
) -> None:
    """Print rows; `documents` is what `-o json` shows. Raises UsageError."""
    if output == "json":
        click.echo(json.dumps(documents, ensure_ascii=False))
        return
    if quiet or output == "name":
        template = f"{{{{.{kind.identifier if quiet else kind.name}}}}}"
    for line in lines(rows, kind, template):
        click.echo(line)


def lines(rows: Sequence[Record], kind: Kind, template: str) -> list[str]:
    """A line for each row, below headings in a table. Raises UsageError."""
    if template in ("", _TABLE):
        template = f"{_TABLE} {kind.table}"
    is_table = template.startswith(_TABLE)
    text = template.removeprefix(_TABLE).strip(" ").replace("\\t", "\t").replace("\\n", "\n")
    wanted = _read(_JSON if text == "json" else text)
    try:
        found = [wanted.filled(row) for row in rows]
        if not is_table:
            return found
        headings = Record(GoMap(kind.headings), {"Label": _label_heading})
        return aligned([_headed(wanted, headings), *found])
    except TemplateFailed as failure:
        raise click.UsageError(f"the template can't be filled: {failure}") from failure


def _headed(wanted: Template, headings: Record) -> str:
    return wanted.filled(headings, table=HEADING_FUNCTIONS)


def _label_heading(name: str) -> str:
    return name.rpartition(".")[2].replace("-", " ").replace("_", " ")


def inspected(template: str, documents: Sequence[Any]) -> str:
    """Documents as JSON, or each as a template shows it, on lines of its own. Raises UsageError."""
    if not template:
        return json.dumps(documents, indent=4, ensure_ascii=False)
    wanted = _read(_JSON if template == "json" else template)
    try:
        return "\n".join(wanted.filled(document(tree), fields=document_field) for tree in documents)
    except TemplateFailed as failure:
        raise click.UsageError(f"the template can't be filled: {failure}") from failure


def _read(template: str) -> Template:
    try:
        return Template(template)
    except TemplateFailed as failure:
        raise click.UsageError(f"the template can't be read: {failure}") from failure
