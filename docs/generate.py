"""Write docs/reference/ from the code: the command line, the settings, the contracts. `make docs` runs it.

A test fails when what is committed differs from what this writes.
"""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import click
import typer.main

from pipelines import cli
from pipelines.contracts import Contract, Table, contract_names, load_contract
from pipelines.settings import Settings, data_folder

if TYPE_CHECKING:
    from pipelines.contracts.fields import Label

REFERENCE = Path(__file__).parent / "reference"
_MADE = "<!-- made by docs/generate.py: change the code instead -->\n"


def pages() -> dict[str, str]:
    """Every generated page by file name."""
    ours = data_folder("schemas")  # not those of whoever runs this
    contracts = {f"{name}.md": contract_page(load_contract(name, ours)) for name in contract_names(ours)}
    return {"cli.md": cli_page(), "settings.md": settings_page(), **contracts}


def cli_page() -> str:
    """Each command with its help and options."""
    group = typer.main.get_command(cli.app)
    parts = [_MADE, "# Command line\n", f"{cli.app.info.help}\n", f"{cli.app.info.epilog}\n"]
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        context = click.Context(command, info_name=f"rocade {name}")
        usage = command.get_usage(context).removeprefix("Usage: ").strip()
        parts += [f"## rocade {name}\n", f"{command.help}\n", f"`{usage}`\n"]
        rows = [_parameter(parameter) for parameter in command.params if parameter.name != "help"]
        parts += ["| argument or option | meaning |\n|---|---|", *rows, ""]
    return "\n".join(parts)


def _parameter(parameter: click.Parameter) -> str:
    name = (
        ", ".join(f"`{each}`" for each in parameter.opts)
        if parameter.param_type_name == "option"
        else f"`{parameter.name}`"
    )
    help_text = getattr(parameter, "help", None) or ""
    default = parameter.default
    shown = f" Default: `{default}`." if default not in (None, False, ()) and not callable(default) else ""
    return f"| {name} | {help_text}{shown} |"


def settings_page() -> str:
    """Each setting with its environment variable and default."""
    rows = [
        f"| `ROCADE_{name.upper()}` | `{name}` | {field.description} | `{field.default}` |"
        for name, field in Settings.model_fields.items()
    ]
    intro = (
        "# Settings\n\nFrom the environment, else from `rocade.toml` in the working directory, else the default. "
        "`rocade doctor` shows those in force.\n\n| environment | rocade.toml | meaning | default |\n|---|---|---|---|"
    )
    return "\n".join([_MADE, intro, *rows, ""])


def contract_page(contract: Contract) -> str:
    """The data dictionary of a contract, after what the head of its file says."""
    years = f" Vintages {contract.vintages.first} to {contract.vintages.last}." if contract.vintages else ""
    parts = [
        _MADE,
        f"# {contract.title}\n",
        (
            f"[{contract.datagouv}]({contract.homepage}) on data.gouv.fr, published by {contract.publisher}, licence "
            f"`{contract.licence}`, {contract.frequency}.{years} Contract: `schemas/{contract.name}.yaml`.\n"
        ),
        _head_of(contract),
    ]
    for table in contract.tables:
        key = f" Key: {', '.join(f'`{each}`' for each in table.primary_key)}." if table.primary_key else ""
        parts += [
            f"## core.{table.name}\n",
            f"{table.title}.{key}{_kept(table)} At most {table.tolerance:.0%} of rows may be rejected.\n",
        ]
        parts += ["| column | type | publisher's column | meaning |\n|---|---|---|---|"]
        for field in table.fields:
            meaning = "; ".join(
                filter(None, [field.title, field.unit, "required" if field.constraints.required else ""])
            )
            codes = f" code list `{field.codes}`" if field.codes else ""
            for column in field.columns():
                parts.append(f"| `{column.name}` | {column.type} | {', '.join(field.source)} | {meaning}{codes} |")
        if table.keep == "accumulate":
            parts.append("| `first_seen`, `last_seen` | | | when a copy that held the row was first and last brought |")
        parts += [
            "| `source_resource`, `source_sha256`, `source_line` | | | resource, bytes and line that the row comes from |",
            "",
        ]
    if contract.code_lists:
        parts.append("## Code lists\n")
    for name, labels in contract.code_lists.items():
        parts.append(f"- `{name}`: " + ", ".join(_label(code, label) for code, label in labels.items()))
    return "\n".join([*parts, ""])


def _head_of(contract: Contract) -> str:
    """The comment at the head of the contract's file, as it stands."""
    lines = (data_folder("schemas") / f"{contract.name}.yaml").read_text(encoding="utf-8").splitlines()
    head = takewhile(lambda line: line.startswith("#"), lines)
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in head) + "\n"


def _kept(table: Table) -> str:
    """How long a row stays, where it is not until the resource's next copy."""
    better = f" Of rows with one key the greatest {', '.join(f'`{each}`' for each in table.prefer)} stays."
    growing = " A row leaves only for another with its key, so what the source forgets stays."
    return (better if table.prefer else "") + (growing if table.keep == "accumulate" else "")


def _label(code: str, label: Label) -> str:
    return f"{code} {label.en}" if label.en == label.fr else f"{code} {label.en} ({label.fr})"


if __name__ == "__main__":
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for page, text in pages().items():
        (REFERENCE / page).write_text(text, encoding="utf-8")
