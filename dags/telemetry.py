"""Telemetry by the hour: land what dead collectors left, compact, find gaps, judge the days that are over, build samples.

The collector is a process of its own and needs no DAG; this one keeps what it wrote in order.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import Asset, ExceptionRetryPolicy, RetryAction, RetryRule, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from pipelines.errors import QualityError

READINGS = Asset(name="core.readings", uri="rocade://core.readings")


@dag(
    description="Land, compact, find gaps, judge, build samples, clear up",
    schedule="7 * * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=2)},
    tags=["rocade", "telemetry"],
)
def telemetry() -> None:
    """One step after the other; old files go last, when nothing that follows needs them."""

    @task
    def land() -> dict[str, Any]:
        from pipelines.scheduled import land_readings

        return land_readings()

    @task
    def compact() -> dict[str, Any]:
        from pipelines.scheduled import compact_closed_days

        return compact_closed_days()

    @task
    def gaps() -> dict[str, Any]:
        from pipelines.scheduled import update_gaps

        return update_gaps()

    # Judging the same readings again changes nothing; the next run does it.
    @task(retry_policy=ExceptionRetryPolicy(rules=[RetryRule(exception=QualityError, action=RetryAction.FAIL)]))
    def judge() -> list[str]:
        from pipelines.scheduled import judge_closed_days

        return judge_closed_days()

    @task
    def samples() -> str:
        from pipelines.scheduled import build_samples

        return build_samples()

    @task
    def clear() -> dict[str, Any]:
        from pipelines.scheduled import clear_telemetry

        return clear_telemetry()

    @task(outlets=[READINGS])
    def announce(asset_state_store: Any = None) -> None:
        from pipelines.scheduled import table_version

        version, state = table_version(READINGS.name), asset_state_store[READINGS]
        if version == state.get("announced_version"):
            raise AirflowSkipException("nothing new")
        state.set("announced_version", version)

    samples_built = samples()
    land() >> compact() >> gaps() >> judge() >> samples_built >> announce()
    samples_built >> clear()


telemetry()
