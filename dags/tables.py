"""Derived tables whenever an input changed: any open-data table, or the readings."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import Asset, AssetAny, dag, task

from pipelines.contracts import contract_names, load_contract

_NAMES = ["core.readings", *(t.qualified_name for name in contract_names() for t in load_contract(name).tables)]


@dag(
    description="Run sql/ over what changed and swap in public.duckdb and personal.duckdb",
    schedule=AssetAny(*(Asset(name=name, uri=f"rocade://{name}") for name in _NAMES)),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=2)},
    tags=["rocade", "tables"],
)
def tables() -> None:
    """One task: the runner knows the order, and what is unchanged costs nothing."""

    @task
    def build() -> dict[str, str]:
        from pipelines.scheduled import build_tables

        return build_tables()

    build()


tables()
