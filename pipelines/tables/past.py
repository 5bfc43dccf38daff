"""Open-data tables as they were: which version of each a query wants.

Belongs here: turning `--version` and `--as-of` into version numbers. Does not: reading them (query). Only what contracts make
from data.gouv.fr keeps its versions for ever; what is derived is made anew, and telemetry must be erasable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.contracts import contract_names, load_contract
from pipelines.errors import SettingsError
from pipelines.lake import Lake
from pipelines.lake.versions import moment_of, version_at, version_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.settings import Settings


def versions_named(settings: Settings, named: Sequence[str]) -> dict[str, int]:
    """``TABLE=VERSION`` texts (a number, a day or a moment) as version numbers by table.

    Raises:
        SettingsError: one of them is not of that form, or not a table of open data.
        LakeError: there is no such version.
    """
    lake, known = Lake(settings.lake), _open_data()
    found = {}
    for text in named:
        table, _, version = text.partition("=")
        if table not in known or not version:
            raise SettingsError(
                f"{text!r} names no version of an open-data table",
                where="--version",
                fix="write it as core.accidents=3; the tables are those that `rocade ingest` fills",
            )
        found[table] = version_named(lake, table, version)
    return found


def versions_as_of(settings: Settings, text: str) -> dict[str, int]:
    """The version of every open-data table that was the newest at a day or moment; tables that came later are left out.

    Raises:
        SettingsError: ``text`` is no moment, or no table was there yet.
    """
    lake, moment = Lake(settings.lake), moment_of(text)
    tables = [name for name in _open_data() if lake.exists(name)]
    found = {name: version for name in tables if (version := version_at(lake, name, moment)) is not None}
    if not found:
        raise SettingsError(f"no open-data table was there at {text}", where="--as-of", fix="`rocade history TABLE`")
    return found


def _open_data() -> list[str]:
    return [table.qualified_name for contract in map(load_contract, contract_names()) for table in contract.tables]
