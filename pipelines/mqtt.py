"""MQTT as both sides of the broker need it: the collector, and the cars that are simulated or replayed.

Belongs here: what topics begin with and how a batch is labelled, an MQTT 5 client ready to connect, the connecting, and
what to say when the broker cannot be had. Does not: what either side sends or hears (fleet, collect), and its sessions
and subscriptions (collect/session.py).
"""

from __future__ import annotations

import ssl
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

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_KEEPALIVE_S = 30
_BACKOFF_S = (1, 30)


def new_client(settings: Settings, name: str, *, manual_ack: bool) -> Client:
    """A client under ``name`` that has yet to connect.

    Raises:
        SettingsError: the address or a certificate does not make sense.
    """
    address = _address(settings)
    client = Client(
        CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=manual_ack
    )
    client.reconnect_delay_set(*_BACKOFF_S)
    if address.username is not None:
        client.username_pw_set(
            unquote(address.username), None if address.password is None else unquote(address.password)
        )
    if address.scheme == "mqtts":
        _trust(client, settings)
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
    address = _address(settings)
    greeting: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho leaves this one untyped
    for name, value in properties.items():
        setattr(greeting, name, value)
    try:
        result = client.connect(
            address.hostname or "",
            address.port or _PORTS[address.scheme],
            keepalive=_KEEPALIVE_S,
            clean_start=clean,
            properties=greeting,
        )
    except ssl.SSLCertVerificationError as error:
        raise CollectError(
            f"the broker's certificate is not accepted: {error}",
            where=place(settings),
            fix="name the CA that signed it by ROCADE_MQTT_CA",
        ) from error
    except (ssl.SSLError, ConnectionResetError) as error:
        raise CollectError(
            f"the broker does not speak to us: {error}", where=place(settings), fix=_fix(ENDED)
        ) from error
    except OSError as error:
        raise CollectError(f"the broker cannot be reached: {error}", where=place(settings), fix=_fix(None)) from error
    if result != MQTTErrorCode.MQTT_ERR_SUCCESS:
        raise refusal(settings, ENDED)


def place(settings: Settings) -> str:
    """The broker, without the password."""
    address = _address(settings)
    return f"{address.scheme}://{address.hostname}:{address.port or _PORTS[address.scheme]}"


def refusal(settings: Settings, why: str | None) -> CollectError:
    """The error for a broker that refuses, in the words of ``why``, or that does not answer."""
    return CollectError(
        why or f"there was no answer to our greeting within {ANSWER_S:g} s", where=place(settings), fix=_fix(why)
    )


def _trust(client: Client, settings: Settings) -> None:
    """TLS under the settings' certificates; the system's CAs when none is named."""
    names = (settings.mqtt_ca, settings.mqtt_cert, settings.mqtt_key)
    ca, cert, key = (None if name is None else str(name) for name in names)
    if cert is None and key is not None:
        raise _bad_certificates("a key has no use without its certificate")
    try:
        client.tls_set(ca_certs=ca, certfile=cert, keyfile=key)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise _bad_certificates(str(error)) from error


def _bad_certificates(why: str) -> SettingsError:
    return SettingsError(
        f"the certificates cannot be used: {why}",
        where="settings ROCADE_MQTT_CA, ROCADE_MQTT_CERT, ROCADE_MQTT_KEY",
        fix="name readable PEM files",
    )


def _address(settings: Settings) -> SplitResult:
    try:
        address = urlsplit(settings.mqtt_url)
        port = address.port
    except ValueError as error:
        raise _bad_address(settings, str(error)) from error
    if address.scheme not in _PORTS or not address.hostname or port == 0 or address.path not in ("", "/"):
        raise _bad_address(settings, "it is not mqtt:// or mqtts:// with a host")
    return address


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
        return f"allow this user to read {TOPICS}/# in the broker's access list"
    if "uthori" in refused or "user name" in refused:
        return "set ROCADE_MQTT_URL to mqtt://user:password@host with a user that the broker knows"
    return "the broker must speak MQTT 5; see its log"
