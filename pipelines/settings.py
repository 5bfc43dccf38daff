"""Where Rocade keeps its state and whom it talks to.

Settings come from the environment (``ROCADE_…``) or from ``rocade.toml`` in the working directory, in that order.
Nothing else in the package reads the environment.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from pipelines.errors import SettingsError

_PACKAGE = Path(__file__).resolve().parent


class Settings(BaseSettings):
    """All settings, each with its unit; see docs/reference/settings.md."""

    model_config = SettingsConfigDict(env_prefix="ROCADE_", toml_file="rocade.toml", extra="forbid", frozen=True)

    home: Path = Field(Path("rocade-data"), description="folder that holds all state")
    schemas: Path | None = Field(None, description="folder of your own contracts; HOME/schemas when unset")
    datagouv_url: str = Field("https://www.data.gouv.fr", description="base address of the data.gouv.fr API")
    http_timeout_s: float = Field(30, gt=0, description="seconds without a byte before a request is given up")
    http_retries: int = Field(5, ge=0, description="tries after the first on 429, 5xx and cut connections")
    http_backoff_s: float = Field(1, ge=0, description="first pause between tries, doubled each time")
    http_believe_days: float = Field(
        30, ge=0, description="days for which a server's word that a file is unchanged stands without reading it again"
    )
    mqtt_url: str = Field("mqtt://127.0.0.1:1883", description="mqtt:// or mqtts://, user:password@ allowed")
    mqtt_version: Literal["5", "3.1.1"] = Field("5", description="MQTT that the broker speaks; 3.1.1 allows one worker")
    mqtt_ca: Path | None = Field(None, description="CA certificate file for mqtts://")
    mqtt_cert: Path | None = Field(None, description="client certificate file for mqtts://")
    mqtt_key: Path | None = Field(None, description="client key file for mqtts://")
    collector_name: str = Field("collector-1", description="fixed MQTT client id of the collector on this machine")
    receive_maximum: int = Field(20_000, ge=2, le=65_535, description="QoS 1 messages in flight from the broker")
    batch_messages: int = Field(5_000, ge=1, description="messages made durable together, at most")
    batch_mb: float = Field(16, gt=0, description="MB made durable together, at most; a longer message comes alone")
    batch_seconds: float = Field(0.5, gt=0, description="seconds a message waits for company, at most")
    inbox_mb: float = Field(32, gt=0, description="MB received and not yet taken, from which on the broker has to wait")
    message_mb: float = Field(
        64, gt=0, le=256, description="MB of the longest message; brokers drop longer ones silently"
    )
    payload_mb: float = Field(8, gt=0, le=64, description="MB of a payload that is read; a longer one is set aside")
    subscriptions: tuple[dict[str, Any], ...] = Field(
        (), description="tables [[subscriptions]] of rocade.toml; Rocade's own topics when unset"
    )
    journal_gb: float = Field(
        10, gt=0, description="GB that may wait for the lake, from which on the broker has to wait"
    )
    land_seconds: float = Field(2, gt=0, description="seconds between two commits of readings to the lake")
    metrics_host: str = Field("127.0.0.1", description="address on which --metrics-port listens")
    session_expiry_s: int = Field(7 * 86_400, gt=0, description="seconds the broker keeps messages for us")
    oldest_reading: datetime = Field(
        datetime(2010, 1, 1, tzinfo=UTC), description="device clocks before this are faulty"
    )
    clock_ahead_s: float = Field(86_400, ge=0, description="seconds a device clock may run ahead of ours")
    keep_old_files_h: int = Field(
        24,
        ge=1,
        description="hours that files which telemetry tables no longer need stay for those who still read them",
    )
    duckdb_memory: str = Field("1GB", description="DuckDB's memory limit in one process")
    duckdb_threads: int | None = Field(None, ge=1, description="DuckDB's threads; all cores when unset")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then rocade.toml."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @cached_property
    def root(self) -> Path:
        """``home`` as an absolute path."""
        return self.home.expanduser().absolute()

    @property
    def own_schemas(self) -> Path:
        """Contracts that are not Rocade's own, such as `rocade add` writes; looked into before the packaged ones."""
        return self.schemas.expanduser().absolute() if self.schemas else self.root / "schemas"

    @property
    def lake(self) -> Path:
        """Delta tables, one folder each: ``lake/LAYER/TABLE``."""
        return self.root / "lake"

    @property
    def raw(self) -> Path:
        """Fetched bytes, content-addressed."""
        return self.root / "raw"

    @property
    def staging(self) -> Path:
        """Files that are written and not yet published; safe to delete while nothing runs."""
        return self.root / "staging"

    @property
    def journal(self) -> Path:
        """Readings that are durable and not yet in the lake, a folder a collector."""
        return self.root / "journal"

    @property
    def keys(self) -> Path:
        """Pseudonym keys, a file a month; readable by the owner alone."""
        return self.root / "keys"

    @property
    def reports(self) -> Path:
        """Verdicts of the quality gate."""
        return self.root / "reports"

    @property
    def public_db(self) -> Path:
        """The DuckDB file that can be given away whole."""
        return self.root / "public.duckdb"

    @property
    def personal_db(self) -> Path:
        """The DuckDB file with small data: one driver, one car."""
        return self.root / "personal.duckdb"


def load_settings(**overrides: Any) -> Settings:
    """The settings in force, with ``overrides`` on top.

    Raises:
        SettingsError: a value does not parse or a name is unknown.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{name} = {first.get('input')!r}: {first['msg']}",
            where=f"setting ROCADE_{name.upper()} (or {name} in rocade.toml)",
            fix="`rocade doctor` lists every setting with its value in force",
        ) from error


def data_folder(name: str) -> Path:
    """``schemas``, ``sql`` or ``dags``: beside the package in a checkout, inside it in a wheel.

    Raises:
        SettingsError: the installation is incomplete.
    """
    for place in (_PACKAGE / name, _PACKAGE.parent / name):
        if place.is_dir():
            return place
    raise SettingsError(f"the folder {name}/ is missing from this installation", where=str(_PACKAGE), fix="reinstall")
