"""What works on this machine and what does not: `rocade doctor`."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from pipelines import __version__
from pipelines.errors import RocadeError
from pipelines.settings import Settings, data_folder

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Check:
    """One thing looked at; ``absent`` means that something optional is not there, and ``found`` says how to get it."""

    name: str
    state: Literal["ok", "absent", "broken"]
    found: str


def examine(settings: Settings) -> list[Check]:
    """Every check, in the order in which a reader would want them."""
    return [
        Check("rocade", "ok", f"{__version__} on Python {sys.version.split()[0]}"),
        *_packages(),
        *_folders(),
        _home(settings),
        _contracts(),
        _broker(settings),
        _catalogue(settings),
        *(
            Check(f"ROCADE_{name.upper()}", "ok", f"{_shown(name, getattr(settings, name))} ({field.description})")
            for name, field in Settings.model_fields.items()
        ),
    ]


def _packages() -> Iterator[Check]:
    for name in ("duckdb", "pyarrow", "deltalake", "great-expectations", "paho-mqtt"):
        yield Check(name, "ok", importlib.metadata.version(name))
    if importlib.util.find_spec("airflow"):
        yield Check("apache-airflow", "ok", importlib.metadata.version("apache-airflow-core"))
    else:
        yield Check("apache-airflow", "absent", "only for scheduling: pip install 'rocade[airflow]'")
    mosquitto = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    yield Check(
        "mosquitto",
        "ok" if mosquitto else "absent",
        mosquitto or "only for a broker of your own: apt install mosquitto",
    )


def _folders() -> Iterator[Check]:
    for name in ("schemas", "sql", "dags"):
        try:
            yield Check(f"{name}/", "ok", str(data_folder(name)))
        except RocadeError as error:
            yield Check(f"{name}/", "broken", str(error))


def _home(settings: Settings) -> Check:
    nearest = next(path for path in (settings.root, *settings.root.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        return Check("home", "broken", f"{settings.root}: {nearest} cannot be written to; set ROCADE_HOME")
    free = shutil.disk_usage(nearest).free / 1e9
    state = "exists" if settings.root.exists() else "will be made when first needed"
    return Check("home", "ok" if free > 1 else "broken", f"{settings.root} ({state}; {free:.0f} GB free)")


def _contracts() -> Check:
    from pipelines.contracts import contract_names, load_contract

    try:
        names = [load_contract(name).name for name in contract_names()]
    except RocadeError as error:
        return Check("contracts", "broken", str(error))
    return Check("contracts", "ok", ", ".join(names))


def _broker(settings: Settings) -> Check:
    address = urlsplit(settings.mqtt_url)
    port = address.port or (8883 if address.scheme == "mqtts" else 1883)
    try:
        with socket.create_connection((address.hostname or "", port), timeout=2):
            return Check("broker", "ok", f"{address.hostname}:{port} answers")
    except OSError as error:
        return Check("broker", "absent", f"{address.hostname}:{port}: {error}; start one or set ROCADE_MQTT_URL")


def _catalogue(settings: Settings) -> Check:
    from pipelines.catalog import open_catalog

    with open_catalog(settings) as catalog:
        answers = catalog.reachable()
    found = f"{settings.datagouv_url} {'answers' if answers else 'does not answer; `rocade mirror` serves a folder instead'}"
    return Check("data.gouv.fr", "ok" if answers else "absent", found)


def _shown(name: str, value: object) -> str:
    if name != "mqtt_url" or "@" not in str(value):
        return str(value)
    scheme, rest = str(value).split("://", 1)
    return f"{scheme}://…@{rest.rsplit('@', 1)[1]}"
