"""The wire format, as the vocabulary of the project fixes it."""

import json
import uuid

from pipelines.fleet.batches import ROWS_PER_BATCH, batch_messages

BOOT = uuid.UUID("12345678-1234-5678-1234-567812345678")


def test_rows_are_dealt_out_ten_a_message_and_counted_from_zero() -> None:
    rows = [(1_000_000 + 1000 * second, {"Vehicle.Speed": float(second)}) for second in range(25)]
    messages = batch_messages("car-01", BOOT, rows, "driver-01")
    assert [message.rows for message in messages] == [ROWS_PER_BATCH, ROWS_PER_BATCH, 5]
    assert [message.ends_ms for message in messages] == [1_009_000, 1_019_000, 1_024_000]
    assert json.loads(messages[1].payload) == {
        "vss": "6.0",
        "boot": str(BOOT),
        "seq": 1,
        "t0": 1_010_000,
        "driver": "driver-01",
        "rows": [[1000 * second, {"Vehicle.Speed": second + 10.0}] for second in range(10)],
    }


def test_readings_are_counted_and_an_unknown_driver_is_left_out() -> None:
    (message,) = batch_messages("car-01", BOOT, [(5, {"a": 1, "b": True}), (6, {"c": "x"})])
    assert message.readings == 3
    assert "driver" not in json.loads(message.payload)
