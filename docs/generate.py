"""Write docs/reference/ from the code: the command line, the settings, the contracts. `make docs` runs it.

A test fails when what is committed differs from what this writes.
"""

from __future__ import annotations

from pathlib import Path

import click
import typer.main

from pipelines import cli
from pipelines.contracts import Contract, contract_names, load_contract
from pipelines.settings import Settings

REFERENCE = Path(__file__).parent / "reference"
_MADE = "<!-- made by docs/generate.py: change the code instead -->\n"


def pages() -> dict[str, str]:
    """Every generated page by file name."""
    contracts = {f"{name}.md": contract_page(load_contract(name)) for name in contract_names()}
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
    """The data dictionary of a contract."""
    years = f" Vintages {contract.vintages.first} to {contract.vintages.last}." if contract.vintages else ""
    parts = [
        _MADE,
        f"# {contract.title}\n",
        (
            f"[{contract.datagouv}]({contract.homepage}) on data.gouv.fr, published by {contract.publisher}, licence "
            f"`{contract.licence}`, {contract.frequency}.{years} Contract: `schemas/{contract.name}.yaml`.\n"
        ),
    ]
    for table in contract.tables:
        key = f" Key: {', '.join(f'`{each}`' for each in table.primary_key)}." if table.primary_key else ""
        parts += [
            f"## core.{table.name}\n",
            f"{table.title}.{key} At most {table.tolerance:.0%} of rows may be rejected.\n",
        ]
        parts += ["| column | type | publisher's column | meaning |\n|---|---|---|---|"]
        for field in table.fields:
            meaning = "; ".join(
                filter(None, [field.title, field.unit, "required" if field.constraints.required else ""])
            )
            codes = f" code list `{field.codes}`" if field.codes else ""
            for column in field.columns():
                parts.append(f"| `{column.name}` | {column.type} | {', '.join(field.source)} | {meaning}{codes} |")
        parts += [
            "| `source_resource`, `source_sha256`, `source_line` | | | resource, bytes and line that the row comes from |",
            "",
        ]
    parts.append("## Code lists\n")
    for name, codes in contract.code_lists.items():
        parts.append(f"- `{name}`: " + ", ".join(f"{code} {label.en} ({label.fr})" for code, label in codes.items()))
    return "\n".join([*parts, ""])


if __name__ == "__main__":
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for page, text in pages().items():
        (REFERENCE / page).write_text(text, encoding="utf-8")
