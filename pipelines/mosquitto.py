"""Whether a Mosquitto configuration keeps what Rocade must not lose: `rocade doctor --mosquitto FILE`.

Belongs here: reading a mosquitto.conf, and what each of its settings means for a fleet. Does not: what a running broker
says of itself (collect), the configuration that is shipped (docker/mosquitto.conf). Facts are those of Mosquitto 2.0.11
as measured, and of the release notes up to 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.doctor import Check
from pipelines.errors import SettingsError
from pipelines.mqtt import WIDEST_WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings

_MANY = 1_000_000  # messages; fewer in a queue is a bound that a fleet reaches
_LONGEST_AUTOSAVE_S = 300
_SMALLEST_PACKET = 2_000_000
_DURATIONS = {"h": 3600, "d": 86_400, "w": 7 * 86_400, "m": 30 * 86_400, "y": 365 * 86_400}
_LOOPBACK = ("127.", "::1", "localhost")


@dataclass
class _Listener:
    """One `listener` and what follows it."""

    port: str
    address: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"listener {self.port}"


@dataclass
class _Config:
    """All of a configuration; a setting that is written twice counts as written last."""

    general: dict[str, str] = field(default_factory=dict)
    listeners: list[_Listener] = field(default_factory=list)
    plugins: list[str] = field(default_factory=list)

    def number(self, name: str, default: int) -> int:
        value = self.general.get(name)
        if value is None:
            return default
        try:
            return int(value)
        except ValueError as error:
            raise SettingsError(f"{name} {value} is not a number", fix="correct the line") from error

    def true(self, name: str) -> bool:
        return self.general.get(name) == "true"


def examine_mosquitto(file: Path, settings: Settings) -> list[Check]:
    """A check for each thing that decides whether messages are kept and cars kept apart.

    Args:
        file: a mosquitto.conf; what its ``include_dir`` holds is read with it.
        settings: batch size and session expiry, to which the broker has to fit.

    Raises:
        SettingsError: the file cannot be read, or a number in it is none.
    """
    config = _Config()
    _read(file, config)
    try:
        return [
            *_access(config),
            _queue(config),
            *_window(config, settings),
            _persistence(config),
            _expiry(config, settings),
            *_sizes(config),
        ]
    except SettingsError as error:
        raise SettingsError(error.what, where=str(file), fix=error.fix) from error


def _read(file: Path, config: _Config) -> None:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise SettingsError(
            f"the configuration cannot be read: {error.strerror}",
            where=str(file),
            fix="name a mosquitto.conf, such as docker/mosquitto.conf",
        ) from error
    folder: Path | None = None
    for line in lines:
        name, _, value = line.strip().partition(" ")
        value = value.strip()
        if not name or name.startswith("#"):
            continue
        if name == "listener":
            port, _, address = value.partition(" ")
            config.listeners.append(_Listener(port, address.strip()))
        elif name in ("plugin", "global_plugin", "plugin_load", "auth_plugin"):
            config.plugins.append(value)
        elif name == "include_dir":
            folder = Path(value)
        elif name in _OF_A_LISTENER and config.listeners:
            config.listeners[-1].options[name] = value
        else:
            config.general[name] = value
    if folder is not None:  # Mosquitto reads it last, too
        for each in sorted(folder.glob("*.conf")):
            _read(each, config)


_OF_A_LISTENER = frozenset(
    {"cafile", "capath", "certfile", "keyfile", "tls_version", "require_certificate", "use_identity_as_username"}
    | {"use_subject_as_username", "listener_allow_anonymous", "max_qos", "protocol", "bind_interface"}
)


def _access(config: _Config) -> Iterator[Check]:
    plugins = " ".join(config.plugins)
    if config.true("allow_anonymous") or any(
        each.options.get("listener_allow_anonymous") == "true" for each in config.listeners
    ):
        yield Check("allow_anonymous", "broken", "anybody may come in and call themselves any car; set it to false")
    else:
        yield Check("allow_anonymous", "ok", "false: everybody has to say who they are")
    if "acl_file" in config.general or "acl" in plugins or "dynamic_security" in plugins:
        yield Check("acl_file", "ok", config.general.get("acl_file", plugins))
    else:
        yield Check("acl_file", "broken", "without it every client reads and writes the topics of all; see docker/acl")
    if not config.listeners:
        yield Check("listener", "absent", "none, so only this machine is served; see docker/mosquitto.conf")
    for each in config.listeners:
        yield _listener(each)


def _listener(listener: _Listener) -> Check:
    if fault := _fault(listener):
        return Check(listener.name, "broken", fault)
    if "certfile" not in listener.options:
        return Check(listener.name, "ok", f"no TLS, and {listener.address} only")
    asks = listener.options.get("require_certificate") == "true"
    return Check(
        listener.name, "ok", f"TLS, and {'a certificate whose name counts' if asks else 'a name with a password'}"
    )


def _fault(listener: _Listener) -> str | None:
    """What is wrong with a listener, and what to do."""
    options = listener.options
    if options.get("max_qos") == "0":
        return "max_qos 0 acknowledges nothing, so nothing lost is noticed; take it out"
    if "certfile" not in options and not listener.address.startswith(_LOOPBACK):
        return "no TLS: passwords and places can be read on the way; set certfile and keyfile"
    if (version := options.get("tls_version", "tlsv1.2")) not in ("tlsv1.2", "tlsv1.3"):
        return f"{version} can be broken into; set tls_version tlsv1.2"
    named = (options.get("use_identity_as_username"), options.get("use_subject_as_username"))
    if options.get("require_certificate") == "true" and "true" not in named:
        return "a certificate is asked for, and its name does not count; set use_identity_as_username true"
    return None


def _queue(config: _Config) -> Check:
    name = "max_queued_messages"
    most, volume = config.number(name, 1000), config.number("max_queued_bytes", 0)
    if config.number("memory_limit", 0):
        return Check(
            "memory_limit", "broken", "a broker that has reached it cannot empty its queues either; take it out"
        )
    if most == 0:
        return Check(
            name, "broken", "0 drops all under Mosquitto 2.0.16 and throws cars out up to 2.0.21; set 100000000"
        )
    if most < _MANY:
        return Check(
            name,
            "broken",
            f"{most}: while a collector is away, what comes after that many messages is acknowledged to the cars and "
            "dropped; set 100000000, and max_queued_bytes to what the machine holds",
        )
    if volume == 0:
        return Check("max_queued_bytes", "absent", "none: the machine's memory is the bound; set what it can hold")
    return Check(name, "ok", f"{most:,}, and {volume / 1e6:,.0f} MB of payload for a collector that is away")


def _window(config: _Config, settings: Settings) -> Iterator[Check]:
    name, needed = "max_inflight_messages", 2 * settings.batch_messages
    window = config.number(name, 20)
    if window == 0 or window > WIDEST_WINDOW:
        yield Check(
            name,
            "broken",
            f"{window} is no bound: an MQTT 3.1.1 collector gets messages that share one of {WIDEST_WINDOW} ids, and its "
            "acknowledgement of one is taken for the other's; set 20000",
        )
    elif window < needed:
        yield Check(
            name,
            "broken",
            f"{window} is less than two batches of ROCADE_BATCH_MESSAGES {settings.batch_messages}: an MQTT 3.1.1 "
            f"collector waits for a batch to fill and the broker for its acknowledgement; set {max(needed, 20_000)}",
        )
    else:
        yield Check(name, "ok", f"{window}, two batches of {settings.batch_messages} or more")
    if config.number("max_inflight_bytes", 0):
        yield Check("max_inflight_bytes", "broken", "it stalls a batch of large messages; take it out")


def _persistence(config: _Config) -> Check:
    name = "persistence"
    kept, plugin = config.true(name), any("persist" in each for each in config.plugins)
    every = config.number("autosave_interval", 1800)
    if kept and plugin:
        return Check(name, "broken", "true beside a persistence plugin, which Mosquitto refuses; take it out")
    if plugin:
        return Check(name, "ok", "a plugin writes each change down")
    if not kept:
        return Check(name, "broken", "false: a restart forgets sessions, queues and consents; set it to true")
    if config.true("autosave_on_changes"):
        return Check("autosave_on_changes", "broken", "everything is written down every few messages; take it out")
    if not 0 < every <= _LONGEST_AUTOSAVE_S:
        lost = "all since its start" if every == 0 else f"up to {every} s of messages, or all when it was young"
        return Check("autosave_interval", "broken", f"{every}: a kill -9 or a power cut loses {lost}; set 30")
    return Check(name, "ok", f"true, written down every {every} s")


def _expiry(config: _Config, settings: Settings) -> Check:
    name = "persistent_client_expiration"
    value = config.general.get(name)
    if value is None:
        return Check(name, "absent", "none: queues of clients that never come back are kept for ever; set 7d")
    count, unit = value[:-1], value[-1:]
    if not count.isdigit() or unit not in _DURATIONS:
        raise SettingsError(f"{name} {value} is not a duration", fix="write it like 7d")
    if int(count) * _DURATIONS[unit] < settings.session_expiry_s:
        return Check(
            name,
            "broken",
            f"{value} is shorter than ROCADE_SESSION_EXPIRY_S {settings.session_expiry_s}, and cuts it short in silence",
        )
    return Check(name, "ok", value)


def _sizes(config: _Config) -> Iterator[Check]:
    if config.number("message_size_limit", 0):
        yield Check(
            "message_size_limit", "broken", "it acknowledges what it throws away; take it out, set max_packet_size"
        )
    if config.general.get("retain_available") == "false":
        yield Check("retain_available", "broken", "consents are retained messages; take it out")
    most = config.number("max_packet_size", 0)
    if most == 0:
        yield Check(
            "max_packet_size", "absent", "268 MB up to Mosquitto 2.0, 2 MB since 2.1; set what your cars send, 16777216"
        )
    elif most < _SMALLEST_PACKET:
        yield Check("max_packet_size", "broken", f"{most}: cars that send more are thrown out; set 16777216")
    else:
        yield Check("max_packet_size", "ok", f"{most:,} bytes")
