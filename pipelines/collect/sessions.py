"""Which of the two sessions it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.collect.session_mqtt5 import Mqtt5Session
from pipelines.collect.session_paho import PahoSession

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipelines.collect.session import Session, Wanted
    from pipelines.settings import Settings


def open_session(
    settings: Settings, wanted: Sequence[Wanted], notify: Callable[[str], None], *, unwanted: Sequence[str] = ()
) -> Session:
    """A session of the version of MQTT that ``settings`` name, yet to be opened.

    Args:
        settings: address, name, window and expiry.
        wanted: what to subscribe to, in this order.
        notify: told, on the session's thread, when the connection breaks and when it is back, and of what is odd.
        unwanted: filters of earlier runs that the broker may still hold for us.

    Raises:
        SettingsError: the address or a certificate does not make sense.
    """
    if settings.mqtt_version == "5":
        return Mqtt5Session(settings, wanted, notify, unwanted=unwanted)
    return PahoSession(settings, wanted, notify, unwanted=unwanted)
