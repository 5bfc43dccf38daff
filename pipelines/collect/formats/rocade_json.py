"""The Rocade JSON batch, as docs/reference/mqtt.md describes it."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from pipelines.collect.formats.json_payload import loads
from pipelines.collect.formats.message import BIGGEST_SEQ, Batch, Unreadable, json_type, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

NUMBERS = frozenset((int, float))
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_BOOTS_KEPT = 100_000
_boots: dict[object, str] = {}  # boots that have been looked at, as sent and in lower case


def read_batch(payload: bytes) -> Batch:
    """A telemetry message; its rows are looked into when they are laid out.

    Raises:
        Unreadable: it is not a batch; nothing of it can be trusted.
    """
    said = loads(payload, "a Rocade JSON batch")
    if type(said) is not dict:
        raise Unreadable(
            "bad_batch", f"the payload is a JSON {json_type(said)}, not an object; send a Rocade JSON batch"
        )
    rows = said.get("rows")
    if type(rows) is not list:
        raise Unreadable("bad_batch", f"rows is {shown(said, 'rows')}; it must be a list of [dt_ms, {{path: value}}]")
    return Batch(*read_head(said), rows)


def read_head(said: Mapping[str, Any]) -> tuple[str, int, float, str | None]:
    """Boot, seq, t0 and driver of a batch.

    Raises:
        Unreadable: one of them, or the version of the signals, is not what it must be.
    """
    if said.get("vss") != "6.0":
        raise Unreadable("bad_batch", f'vss is {shown(said, "vss")}; only signals of VSS "6.0" are known')
    boot, seq, driver = said.get("boot"), said.get("seq"), said.get("driver")
    t0: Any = said.get("t0")
    known = _boots.get(boot) if type(boot) is str else None
    if known is None:
        known = _boot(said)
    if type(seq) is not int or not 0 <= seq <= BIGGEST_SEQ:
        raise Unreadable(
            "bad_batch", f"seq is {shown(said, 'seq')}; it must count the messages of a boot from 0, below 2^62"
        )
    if type(t0) not in NUMBERS or not math.isfinite(t0):
        raise Unreadable("bad_batch", f"t0 is {shown(said, 't0')}; it must be epoch milliseconds")
    if driver is not None and type(driver) is not str:
        raise Unreadable("bad_batch", f"driver is a JSON {json_type(driver)}; it must be a string, or left out")
    return known, seq, float(t0), driver


def _boot(said: Mapping[str, Any]) -> str:
    boot = said.get("boot")
    if type(boot) is not str or not _UUID.fullmatch(boot):
        raise Unreadable(
            "bad_batch", f"boot is {shown(said, 'boot')}; it must be a UUID, new at each start of the sender"
        )
    if len(_boots) >= _BOOTS_KEPT:
        _boots.clear()
    return _boots.setdefault(boot, boot.lower())
