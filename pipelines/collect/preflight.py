"""Checks before a collector starts: refuse what would lose data or stall, warn of what a client cannot see.

Belongs here: our settings against each other, and the broker's answers against our settings. Does not: speaking to the
broker (session_mqtt5.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqtt5 import QoS, SubAckReasonCode

from pipelines.errors import CollectError, SettingsError
from pipelines.mqtt import WIDEST_WINDOW, place, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mqtt5 import ConnAckPacket

    from pipelines.collect.session import Wanted
    from pipelines.settings import Settings

_FAILURE = 0x80  # reason codes from here on are refusals

INVISIBLE = (
    "whether the broker drops what it cannot queue is not to be seen from here: Mosquitto keeps 1,000 messages for an "
    "absent client and drops the rest silently, unless max_queued_messages and persistence are set as in "
    "docker/mosquitto.conf (`rocade doctor --mosquitto FILE` checks yours); core.gaps shows what is missing"
)
"""What a client cannot check, said once at each start."""


def check_window(settings: Settings, *, shared: bool = False) -> None:
    """Refuse settings under which the broker would wait for us and we for the broker, or could not share.

    Args:
        settings: ours.
        shared: whether several workers share the telemetry.

    Raises:
        CollectError: Receive Maximum is under two batches.
        SettingsError: MQTT 3.1.1 cannot share.
    """
    if shared and settings.mqtt_version != "5":
        raise SettingsError(
            "several workers need MQTT 5: shared subscriptions are not in 3.1.1",
            where="setting ROCADE_MQTT_VERSION",
            fix="set it to 5, or run a single worker",
        )
    if settings.receive_maximum < 2 * settings.batch_messages:
        raise CollectError(
            f"receive_maximum {settings.receive_maximum} is less than two batches of {settings.batch_messages} messages"
            ": the broker would stop before a batch is full",
            where="settings",
            fix=f"set ROCADE_RECEIVE_MAXIMUM to {min(2 * settings.batch_messages, WIDEST_WINDOW)} or more"
            if 2 * settings.batch_messages <= WIDEST_WINDOW
            else f"set ROCADE_BATCH_MESSAGES to {WIDEST_WINDOW // 2} or less",
        )


def check_answer(settings: Settings, wanted: Sequence[Wanted], answer: ConnAckPacket) -> Iterator[str]:
    """Refuse a broker that would lose messages; yields what is worth a warning.

    Args:
        settings: what we asked for.
        wanted: what we are going to subscribe to.
        answer: its CONNACK.

    Raises:
        CollectError: the session would end with the connection or before its time, or QoS 1, wildcards or shared
            subscriptions are not to be had.
    """
    expiry = settings.session_expiry_s if answer.session_expiry_interval is None else answer.session_expiry_interval
    if expiry < settings.session_expiry_s:
        kept = (
            "drops our session when the connection breaks" if not expiry else f"keeps our session for {expiry} s only"
        )
        raise CollectError(
            f"the broker {kept}, not for the {settings.session_expiry_s} s we asked for: messages would be lost",
            where=place(settings),
            fix="let it keep sessions longer"
            + (
                f", or set ROCADE_SESSION_EXPIRY_S to {expiry} or less"
                if expiry
                else " (EMQX: session_expiry_interval)"
            ),
        )
    if answer.max_qos == QoS.AT_MOST_ONCE:
        raise _lacking(settings, "quality of service 1")
    if not answer.wildcard_subscription_available:
        raise _lacking(settings, "subscriptions with wildcards")
    if not answer.shared_subscription_available and any(each.filter.startswith("$share/") for each in wanted):
        raise _lacking(settings, "shared subscriptions, which several workers need")
    if answer.receive_max < settings.batch_messages:
        yield (
            f"the broker keeps few messages in flight ({answer.receive_max}): a batch will be no longer than that, and "
            "slow; let it keep more (Mosquitto: max_inflight_messages 20000)"
        )
    yield INVISIBLE


def check_grant(settings: Settings, wanted: Wanted, granted: SubAckReasonCode) -> None:
    """Refuse a subscription under which messages could be lost.

    Raises:
        CollectError: it was not granted, or with less than we asked for.
    """
    if granted.value >= _FAILURE or granted.value < wanted.qos:  # the codec's codes do not compare
        words = granted.name.replace("_", " ").capitalize()
        raise refusal(
            settings, f"the broker does not grant {wanted.filter} with quality of service {wanted.qos}: {words}"
        )


class TakenOver(CollectError):  # noqa: N818 - the state of the session is its name
    """Another client has come under our name."""


def taken_over(settings: Settings) -> CollectError:
    """The error for a session that another client under our name has taken; trying again would take it back."""
    return TakenOver(
        f"another client has connected as {settings.collector_name} and taken our session over: two would share one "
        "queue, and each lose half",
        where=place(settings),
        fix="stop the other one, or give this one another name by ROCADE_COLLECTOR_NAME",
    )


def _lacking(settings: Settings, what: str) -> CollectError:
    return CollectError(f"the broker does not offer {what}", where=place(settings), fix="configure it, or use another")
