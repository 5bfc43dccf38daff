"""Open data on schedule: a DAG a contract, and `open_data` for all of them now.

Made from schemas/: a new contract is a new DAG. A year is one mapped task: its files go in together, parents first, so
that keys across the tables can be judged. Nothing new is success, and wakes nobody downstream. What one year published
is announced even where another year failed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import Asset, ExceptionRetryPolicy, Param, RetryAction, RetryRule, TaskGroup, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from pipelines.contracts import Contract, contract_names, load_contract
from pipelines.errors import ConformError, ContractError, QualityError, SettingsError

#: Asking again does not mend a broken contract.
_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception=kind, action=RetryAction.FAIL)
        for kind in (ConformError, ContractError, QualityError, SettingsError)
    ]
)
_PARAMS = {"since": Param(None, type=["null", "integer"], description="first vintage to look at; all when empty")}
_ARGUMENTS = {"retries": 3, "retry_delay": timedelta(minutes=5), "retry_exponential_backoff": 2.0}


def ingest_tasks(contract: Contract) -> None:
    """The tasks that bring one dataset up to date."""
    name = contract.name
    assets = [Asset(name=table.qualified_name, uri=f"rocade://{table.qualified_name}") for table in contract.tables]

    @task(task_id="vintages")
    def vintages(params: Any = None) -> list[int | None]:
        from pipelines.scheduled import planned_vintages

        return planned_vintages(name, params["since"])

    @task(task_id="ingest", map_index_template="{{ vintage }}", max_active_tis_per_dagrun=1, retry_policy=_POLICY)
    def ingest(vintage: int | None) -> dict[str, Any]:
        from airflow.sdk import get_current_context

        from pipelines.scheduled import ingest_vintage

        get_current_context()["vintage"] = vintage  # type: ignore[typeddict-unknown-key]
        return ingest_vintage(name, vintage)

    @task(task_id="announce", outlets=assets)
    def announce(asset_state_store: Any = None) -> None:
        from pipelines.scheduled import table_version

        new = {asset: table_version(asset.name) for asset in assets}
        if all(version == asset_state_store[asset].get("announced_version") for asset, version in new.items()):
            raise AirflowSkipException("nothing new")
        for asset, version in new.items():
            asset_state_store[asset].set("announced_version", version)

    # A teardown runs whatever became of the tasks before it, and leaves the run failed when one of them did.
    ingest.expand(vintage=vintages()) >> announce().as_teardown()


def _one(contract: Contract) -> None:
    @dag(
        dag_id=f"open_data_{contract.name}",
        description=contract.title,
        schedule=contract.schedule,
        start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Paris"),
        catchup=False,
        max_active_runs=1,
        default_args=_ARGUMENTS,
        params=_PARAMS,
        tags=["rocade", "open data"],
    )
    def one() -> None:
        ingest_tasks(contract)

    one()


@dag(
    dag_id="open_data",
    description="Every dataset now: after an installation, an outage, a changed contract",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Paris"),
    catchup=False,
    max_active_runs=1,
    default_args=_ARGUMENTS,
    params=_PARAMS,
    tags=["rocade", "open data"],
)
def open_data() -> None:
    """A group of tasks a contract."""
    for name in contract_names():
        with TaskGroup(group_id=name):
            ingest_tasks(load_contract(name))


open_data()
for _name in contract_names():
    _one(load_contract(_name))
