"""Messages, and an intake without a broker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.collect.formats import Message
from pipelines.collect.intake import Intake
from pipelines.collect.seen import Seen
from pipelines.contracts.signals import load_signals
from pipelines.privacy.consent import ConsentLedger
from pipelines.privacy.pseudonyms import Pseudonyms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = 1_770_000_000_000  # epoch ms, 2026-02-02
BOOT = "00000000-0000-4000-8000-000000000001"


class Inlet:
    """An intake with what it works on at hand."""

    def __init__(self, home: Path) -> None:
        self.ledger = ConsentLedger(home / "privacy", home / "keys" / "consent.key")
        self.names = Pseudonyms(home / "keys")
        self.seen = Seen()
        self.intake = Intake(
            load_signals(),
            self.ledger,
            self.names,
            self.seen,
            oldest_ms=1_262_304_000_000,
            ahead_ms=86_400_000,
            room=10,
        )

    def consent(self, vehicle: str, level: int = 2, since_ms: float = float("-inf")) -> None:
        self.ledger.record(vehicle, level, since_ms, NOW)


@pytest.fixture
def inlet(tmp_path: Path) -> Inlet:
    return Inlet(tmp_path)


@pytest.fixture
def message() -> Callable[..., Message]:
    def make(payload: Any, vehicle: str = "CAR1", topic: str = "telemetry", **more: Any) -> Message:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        fields: dict[str, Any] = {
            "mid": 1,
            "epoch": 0,
            "qos": 1,
            "again": False,
            "topic": f"rocade/v1/{vehicle}/{topic}",
            "payload": body,
            "content_type": None,
            "received_ms": NOW,
        }
        return Message(**(fields | more))

    return make


@pytest.fixture
def batch() -> Callable[..., dict[str, Any]]:
    def make(*rows: Any, **more: Any) -> dict[str, Any]:
        return {"vss": "6.0", "boot": BOOT, "seq": 0, "t0": NOW, "rows": list(rows)} | more

    return make
