"""Lists as people ask for them: a table, names, JSON, or a line by a template."""

import json
import re
from collections.abc import Sequence
from typing import Any

import click

from sampan.faces.cli.text_table import text_table

Row = dict[str, Any]
_FIELD = re.compile(r"\{\{\s*(json\s+)?\.(\w*)\s*\}\}")


def with_list_options(command: Any) -> Any:
    """The options of every list: what `show` is given."""
    for option in (
        click.option("-q", "--quiet", is_flag=True, help="Only identifiers."),
        click.option("--no-trunc", "whole", is_flag=True, help="Don't shorten identifiers."),
        click.option("--format", "template", default="", help="json, or a template of fields."),
        click.option("-o", "--output", type=click.Choice(["text", "json", "name"]), default="text"),
    ):
        command = option(command)
    return command


def show(
    rows: Sequence[Row],
    columns: dict[str, str],
    *,
    identifier: str = "ID",
    name: str = "Name",
    documents: Any = None,
    quiet: bool = False,
    template: str = "",
    output: str = "text",
) -> None:
    """Print rows; `columns` maps fields to headings, `documents` is what -o json shows."""
    if output == "json":
        click.echo(json.dumps(rows if documents is None else documents))
        return
    if quiet or output == "name":
        lines = [str(row[identifier if quiet else name]) for row in rows]
    elif template in ("", "table"):
        lines = [text_table([*columns.values()], [[str(r[f]) for f in columns] for r in rows])]
    elif template == "json":
        lines = [json.dumps(row) for row in rows]
    else:
        shown = template.removeprefix("table ").encode().decode("unicode_escape")
        lines = [filled(shown, row) for row in rows]
    for line in lines:
        click.echo(line)


def filled(template: str, row: Row) -> str:
    """A template's fields, `{{.Name}}`, `{{json .Name}}` or `{{json .}}`, from a row.

    Raises click.UsageError for a field that isn't there.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(2)
        if name and name not in row:
            raise click.UsageError(f"there is no field .{name}; there are {', '.join(row)}")
        found = row[name] if name else row
        return json.dumps(found) if match.group(1) else str(found)

    return _FIELD.sub(value, template)


def inspected(template: str, document: Any) -> str:
    """A document, or what a template takes out of it by dotted paths."""
    if not template or template == "json":
        return json.dumps(document, indent=4)

    def value(match: re.Match[str]) -> str:
        found = document
        for part in match.group(2).split("."):
            if part:
                if not isinstance(found, dict) or part not in found:
                    raise click.UsageError(f"there is no field {part} in the document")
                found = found[part]
        return json.dumps(found) if match.group(1) else _plain(found)

    return re.sub(r"\{\{\s*(json\s+)?\.([\w.-]*)\s*\}\}", value, template)


def _plain(found: Any) -> str:
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, (dict, list)):
        return json.dumps(found)
    return "" if found is None else str(found)
