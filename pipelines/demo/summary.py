"""The demo's last page: what is in the lake now, what was rejected, some questions answered, how to go on."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipelines import show
from pipelines.lake.quarantine import reasons
from pipelines.settings import data_folder
from pipelines.tables import list_tables, run_query

if TYPE_CHECKING:
    from pipelines.demo.run import DemoReport
    from pipelines.settings import Settings
    from pipelines.tables.query import TableInfo

#: Asked where the table after FROM is there: against the real data.gouv.fr the demo brings the accidents alone.
EXAMPLES = {
    "The departments with most people killed in accidents, last two years": """
        SELECT department, vintage, accidents, killed, hospitalised, hospitalised_definition
        FROM big.accidents_by_department
        WHERE vintage >= (SELECT max(vintage) - 1 FROM big.accidents_by_department)
        ORDER BY killed DESC, department LIMIT 5""",
    "Where the regions' electricity comes from, newest whole days (half-hours whose consumption is known: 48)": """
        SELECT day, region, half_hours, round(consumption_mwh) AS consumption_mwh, renewable_pct, covered_pct
        FROM big.energy_mix_by_day WHERE half_hours >= 46 ORDER BY day DESC, region LIMIT 3""",
    "The stations that lost most since 2019, counted within one edition": """
        SELECT station, postcode, travellers, index_2019
        FROM big.station_traffic_trend WHERE year = 2024 ORDER BY index_2019 LIMIT 3""",
    "Where a flat costs most a square metre (of sales that are one flat and nothing else of doubt)": """
        SELECT commune_name, sales, median_eur, median_eur_per_m2, left_out
        FROM big.property_prices_by_commune WHERE vintage = 2024 AND kind = 'flat' ORDER BY median_eur_per_m2 DESC LIMIT 3""",
    "What the fleet burns, a model a line (cells of fewer than 11 cars are not there)": """
        SELECT month, brand, model, vehicles, trips, round(distance_km) AS km,
            round(fuel_l_per_100km, 2) AS l_per_100km, round(energy_kwh_per_100km, 2) AS kwh_per_100km
        FROM big.consumption_by_model ORDER BY vehicles DESC""",
    "The longest trips (small data: for the driver and the car alone)": """
        SELECT left(vehicle, 8) AS car, started_at, round(distance_km, 1) AS km, round(duration_s / 60) AS minutes, model
        FROM small.trips ORDER BY distance_km DESC LIMIT 5""",
}


def summarise(report: DemoReport, settings: Settings, *, as_json: bool) -> None:
    """Print the summary of a finished demo."""
    tables, rejected, verdicts = list_tables(settings), reasons(settings), _verdicts(settings)
    if as_json:
        answers = {question: _answer(settings, sql) for question, sql in _askable(tables).items()}
        parts = {"tables": tables, "rejected": rejected, "verdicts": verdicts, "examples": answers}
        show.document(asdict(report) | parts)
        return
    out = show.console()
    out.rule("what is there now")
    show.tables(tables, as_json=False)
    out.rule("rejected, and waiting in quarantine")
    show.quarantine(rejected, [], as_json=False)
    out.rule("verdicts of the gate")
    for outcome, count in verdicts.items():
        out.print(f"{outcome}: {count}")
    out.rule("some questions")
    for question, sql in _askable(tables).items():
        out.print(f"[bold]{question}[/]")
        with run_query(settings, sql, personal=True) as rows:
            show.rows(rows, "table")
        out.print()
    out.rule("time")
    for stage, seconds in report.seconds.items():
        out.print(f"{seconds:7.1f} s  {stage}")
    out.print(f"\nopen data came from {report.source}")
    out.print(_GO_ON.format(home=settings.root, dags=data_folder("dags")), highlight=False, markup=False)


_GO_ON = """
how to go on
  rocade tables                                  what there is
  rocade sql "FROM big.accident_black_spots LIMIT 5"
  rocade history core.accidents                  its versions and their bytes
  rocade quarantine --rows 5                     rejected rows with line, column, value
  rocade ingest accidents                        the real data.gouv.fr, every vintage
  rocade diff core.station_traffic               what the newest edition restated
  source .venv/bin/activate                      then Airflow's own page, on http://localhost:8080:
  AIRFLOW_HOME={home}/airflow AIRFLOW__CORE__DAGS_FOLDER={dags} AIRFLOW__CORE__LOAD_EXAMPLES=False \\
    AIRFLOW__CORE__PARALLELISM=4 ROCADE_HOME={home} airflow standalone"""


def _askable(tables: list[TableInfo]) -> dict[str, str]:
    names = {table.name for table in tables}
    return {question: sql for question, sql in EXAMPLES.items() if re.findall(r"FROM (\S+)", sql)[0] in names}


def _verdicts(settings: Settings) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for file in settings.reports.rglob("*.json"):
        counts.update(finding["outcome"] for finding in json.loads(file.read_text(encoding="utf-8"))["findings"])
    return dict(sorted(counts.items()))


def _answer(settings: Settings, sql: str) -> list[dict[str, Any]]:
    with run_query(settings, sql, personal=True) as rows:
        return [row for batch in rows for row in batch.to_pylist()]
