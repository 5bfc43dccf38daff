"""SenML in JSON, RFC 8428, with the units of RFC 8798.

A record's name is bn + n; its signal is what follows the device, ``urn:dev:…:`` or up to the last slash, unless the
whole is one already. Times are bt + t in seconds; below 2**28 they count from the time of receipt. Fields whose name
ends in ``_`` must be understood, and we understand none.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pipelines.collect.formats.json_payload import loads
from pipelines.collect.formats.message import Batch, Unreadable, clipped, json_type
from pipelines.collect.formats.typed import scaled
from pipelines.collect.formats.units import conversion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.contracts.signals import Signal

CONTENT_TYPE = "application/senml+json"

_RELATIVE = 2**28  # times below are relative to now (RFC 8428, 4.5.3)
_VERSION = 10
_BASES: Mapping[str, tuple[type, ...]] = {
    "bn": (str,),
    "bt": (int, float),
    "bu": (str,),
    "bv": (int, float),
    "bs": (int, float),
    "bver": (int,),
}


def read_pack(payload: bytes, received_ms: float, catalogue: Mapping[str, Signal]) -> Batch:
    """The records of a pack, a row an instant.

    Raises:
        Unreadable: it is no pack.
    """
    said = loads(payload, "a SenML pack")
    if type(said) is not list:
        raise Unreadable("bad_batch", f"the payload is a JSON {json_type(said)}, not an array; send a SenML pack")
    base: dict[str, Any] = {}
    rows: dict[float, dict[str, Any]] = {}
    timed = True
    for record in said:
        _resolve(record, base)
        name = base.get("bn", "") + record.get("n", "")
        value = _value(record, base)
        if value is None:
            continue  # a record of base fields alone, or of a sum
        seconds = float(base.get("bt", 0)) + float(record.get("t", 0))
        timed = timed and seconds >= _RELATIVE
        instant = seconds * 1000 if seconds >= _RELATIVE else received_ms + seconds * 1000
        path = _path(name, catalogue)
        rows.setdefault(instant, {})[path] = _in_unit(value, record.get("u", base.get("bu")), catalogue.get(path))
    if not all(map(math.isfinite, rows)):
        raise Unreadable("bad_batch", "a time is beyond all numbers; t and bt are seconds since 1970")
    first = min(rows, default=0.0)
    return Batch(None, int(timed), first, None, [[instant - first, readings] for instant, readings in rows.items()])


def _resolve(record: object, base: dict[str, Any]) -> None:
    """Take up the base fields of ``record`` and look at the types of its others."""
    if type(record) is not dict:
        raise Unreadable("bad_batch", f"{clipped(repr(record))} is no SenML record; each one is an object")
    for key, value in record.items():
        if key in _BASES:
            if type(value) not in _BASES[key]:
                raise Unreadable("bad_batch", f"{key} is {clipped(repr(value))}, which it cannot be")
            base[key] = value
        elif key.endswith("_"):
            raise Unreadable("bad_batch", f"{clipped(key)} must be understood and is not; leave it out")
        elif (key in ("n", "u") and type(value) is not str) or (key == "t" and type(value) not in (int, float)):
            raise Unreadable("bad_batch", f"{key} is {clipped(repr(value))}, which it cannot be")
    if base.get("bver", _VERSION) > _VERSION:
        raise Unreadable("bad_batch", f"bver is {base['bver']}; only versions to {_VERSION} are known")


def _value(record: Mapping[str, Any], base: Mapping[str, Any]) -> Any:
    if "vb" in record:
        return record["vb"]
    if "vs" in record:
        return record["vs"]
    if "vd" in record:
        return {"vd": record["vd"]}  # bytes: no signal has any
    if "v" in record:
        value = record["v"]
        return value + base.get("bv", 0) if type(value) in (int, float) else value
    return base.get("bv") if "n" in record and "s" not in record else None


def _path(name: str, catalogue: Mapping[str, Signal]) -> str:
    """The signal that ``name`` names, once the device before it is taken off."""
    if name in catalogue:
        return name
    short = name.rsplit("/", 1)[-1].rsplit(":", 1)[-1]
    return short if short in catalogue or name.startswith("urn:") else short or name


def _in_unit(value: Any, unit: str | None, signal: Signal | None) -> Any:
    if signal is None or not unit or type(value) not in (int, float):
        return value
    how = conversion(unit, signal.unit)
    if how is None:
        return f"{value} {unit}"  # a text where a number is wanted: set aside, with its unit
    return value if how == (1, 0) else scaled(value, how)
