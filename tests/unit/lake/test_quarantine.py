"""What waits in quarantine, counted over files and cars alike."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from pipelines.collect.tables import QUARANTINE, QUARANTINE_SCHEMA
from pipelines.lake import Lake, Provenance
from pipelines.lake.quarantine import reasons, rejected_rows
from pipelines.settings import Settings


def test_cars_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    now = datetime(2026, 11, 1, tzinfo=UTC)
    row = {
        "day": now.date(),
        "received_at": now,
        "vehicle": "ab" * 16,
        "reason": "not_json",
        "detail": "telemetry: not JSON: at line 1",
        "payload": b"\x00oops",
    }
    Lake(settings.lake).append(QUARANTINE, pa.Table.from_pylist([row], QUARANTINE_SCHEMA), Provenance("land"))
    (reason,) = reasons(settings)
    assert (reason.table, reason.reason, reason.rows) == ("core.readings", "not_json", 1)
    assert reason.example == "rocade/v1/abababab…/telemetry: not JSON: at line 1"
    (rejected,) = rejected_rows(settings, None, 5)
    assert rejected["row"] == "\\x00oops"
    assert reasons(settings, "other") == []
