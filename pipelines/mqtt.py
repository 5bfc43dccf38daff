"""MQTT as both sides of the broker need it: the collector, and the cars that are simulated or replayed.

Belongs here: what topics begin with and how a batch is labelled, an MQTT client ready to connect, the connecting, the
address and the certificates, and what to say when the broker cannot be had. Does not: what either side sends or hears
(fleet, collect), nor its sessions and subscriptions (collect/session.py, collect/subscriptions.py).
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from pipelines.errors import CollectError, SettingsError

if TYPE_CHECKING:
    from pipelines.settings import Settings

TOPICS = "rocade/v1"
"""What all our topics begin with; a car's id and what it talks about follow."""

JSON_BATCH = "application/vnd.rocade+json"
"""Content type of a telemetry message."""

ANSWER_S = 10.0
"""Seconds after which a broker that has not answered is none."""

ENDED = "the broker ended the connection instead of answering"
"""Why a connection is refused where the broker says nothing: its TLS 1.3 tells so of a missing certificate."""

KEEPALIVE_S = 30
"""Seconds without a packet after which the broker takes a client for gone, and it the broker."""

WIDEST_WINDOW = 65_535
"""Messages that can be in flight at once: MQTT has so many packet ids."""

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_VERSIONS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
_BACKOFF_S = (1, 30)


@dataclass(frozen=True)
class Address:
    """Where the broker is, and as whom to greet it."""

    host: str
    port: int
    tls: bool
    user: str | None = field(repr=False)
    password: str | None = field(repr=False)


def address(settings: Settings) -> Address:
    """The broker of ``settings``.

    Raises:
        SettingsError: the address does not make sense.
    """
    said = _split(settings)
    return Address(
        said.hostname or "",
        said.port or _PORTS[said.scheme],
        said.scheme == "mqtts",
        None if said.username is None else unquote(said.username),
        None if said.password is None else unquote(said.password),
    )


def trust(settings: Settings) -> ssl.SSLContext:
    """TLS under the settings' certificates; the system's CAs when none is named.

    Raises:
        SettingsError: a certificate cannot be used.
    """
    names = (settings.mqtt_ca, settings.mqtt_cert, settings.mqtt_key)
    ca, cert, key = (None if name is None else str(name) for name in names)
    if cert is None and key is not None:
        raise _bad_certificates("a key has no use without its certificate")
    try:
        context = ssl.create_default_context(cafile=ca)
        if cert is not None:
            context.load_cert_chain(cert, key)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise _bad_certificates(str(error)) from error
    return context


def new_client(settings: Settings, name: str, *, manual_ack: bool, clean: bool | None = None) -> Client:
    """A client under ``name`` that has yet to connect.

    Args:
        settings: where the broker is, and which version of MQTT it speaks.
        name: the client's id.
        manual_ack: whether we acknowledge by hand.
        clean: MQTT 3.1.1 alone has to know it now: whether to start without the session of before.

    Raises:
        SettingsError: the address or a certificate does not make sense.
    """
    where = address(settings)
    version = _VERSIONS[settings.mqtt_version]
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=name,
        protocol=version,
        manual_ack=manual_ack,
        clean_session=None if version == MQTTProtocolVersion.MQTTv5 else clean is not False,
    )
    client.reconnect_delay_set(*_BACKOFF_S)
    if where.user is not None:
        client.username_pw_set(where.user, where.password)
    if where.tls:
        client.tls_set_context(trust(settings))
    return client


def connect(client: Client, settings: Settings, *, clean: bool, **properties: int) -> None:
    """Reach the broker and greet it; its answer comes to ``client.on_connect``.

    Args:
        client: from ``new_client``.
        settings: where the broker is.
        clean: whether to start without the session of before.
        properties: of MQTT 5's CONNECT, by name.

    Raises:
        CollectError: the broker cannot be reached.
    """
    where = address(settings)
    greeting: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho leaves this one untyped
    for name, value in properties.items():
        setattr(greeting, name, value)
    more: dict[str, Any] = {"clean_start": clean, "properties": greeting} if settings.mqtt_version == "5" else {}
    try:
        result = client.connect(where.host, where.port, keepalive=KEEPALIVE_S, **more)
    except OSError as error:
        discard(client)
        raise unreachable(settings, error) from error
    if result != MQTTErrorCode.MQTT_ERR_SUCCESS:
        raise refusal(settings, ENDED)


def discard(client: Client) -> None:
    """Close what a client that is not used any more holds; paho leaves it to the garbage collector."""
    client._reset_sockets()  # noqa: SLF001 - there is no public way


def unreachable(settings: Settings, error: OSError) -> CollectError:
    """What kept a connection from being made, in the words of our errors."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return CollectError(
            f"the broker's certificate is not accepted: {error}",
            where=place(settings),
            fix="name the CA that signed it by ROCADE_MQTT_CA",
        )
    if isinstance(error, (ssl.SSLError, ConnectionResetError)):
        return CollectError(f"the broker does not speak to us: {error}", where=place(settings), fix=_fix(ENDED))
    return CollectError(f"the broker cannot be reached: {error}", where=place(settings), fix=_fix(None))


def place(settings: Settings) -> str:
    """The broker, without the password."""
    where = address(settings)
    return f"{'mqtts' if where.tls else 'mqtt'}://{where.host}:{where.port}"


def refusal(settings: Settings, why: str | None) -> CollectError:
    """The error for a broker that refuses, in the words of ``why``, or that does not answer."""
    return CollectError(
        why or f"there was no answer to our greeting within {ANSWER_S:g} s", where=place(settings), fix=_fix(why)
    )


def _bad_certificates(why: str) -> SettingsError:
    return SettingsError(
        f"the certificates cannot be used: {why}",
        where="settings ROCADE_MQTT_CA, ROCADE_MQTT_CERT, ROCADE_MQTT_KEY",
        fix="name readable PEM files",
    )


def _split(settings: Settings) -> SplitResult:
    try:
        said = urlsplit(settings.mqtt_url)
        port = said.port
    except ValueError as error:
        raise _bad_address(settings, str(error)) from error
    if said.scheme not in _PORTS or not said.hostname or port == 0 or said.path not in ("", "/"):
        raise _bad_address(settings, "it is not mqtt:// or mqtts:// with a host")
    return said


def _bad_address(settings: Settings, why: str) -> SettingsError:
    return SettingsError(
        f"the broker's address does not make sense: {why}",
        where=f"setting ROCADE_MQTT_URL, {len(settings.mqtt_url)} characters",  # it may hold a password: not shown
        fix="write it like mqtt://user:password@host:1883 or mqtts://host",
    )


def _fix(refused: str | None) -> str:
    if refused == ENDED:
        return (
            "if it asks for a client certificate, name one that it accepts by ROCADE_MQTT_CERT and ROCADE_MQTT_KEY; "
            "its address begins with mqtts:// where it speaks TLS, else with mqtt://"
        )
    if refused is None:
        return "start the broker, or set ROCADE_MQTT_URL to where it is"
    if "grant" in refused:
        return "allow this user to read it in the broker's access list"
    if "uthori" in refused or "user name" in refused:
        return "set ROCADE_MQTT_URL to mqtt://user:password@host with a user that the broker knows"
    return "the broker must speak MQTT 5 (or set ROCADE_MQTT_VERSION to 3.1.1); see its log"
