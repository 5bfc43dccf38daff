"""Subscriptions: which topics are collected, in which format, and which car a topic belongs to.

Belongs here: ``[[subscriptions]]`` of rocade.toml and what a topic tells. Does not: subscribing (session.py), the formats
themselves (formats/).

A car is known by one id wherever it speaks: the one in its consent's topic, ``rocade/v1/{id}/consent``. Ids of foreign
software cannot be had by any other car, ours included, whatever somebody calls a car or an account: ``tenant:car``,
``owner~car``, ``tenant:owner~car``, or ``format.car`` where a topic tells neither tenant nor owner. In each part, whatever
is no letter, digit, ``_`` or ``-`` is written ``%XX``, so that the separators are only separators.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from pipelines.collect.formats import FORMATS, Kind, Place
from pipelines.errors import SettingsError
from pipelines.mqtt import TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipelines.settings import Settings

NOWHERE = Place(None)
"""A topic that no car of ours can have."""

_ID = re.compile("[A-Za-z0-9_-]{1,64}")  # of our own cars; it is part of topics and of what people type
_FOREIGN_ID = "[A-Za-z0-9_%:~.-]{1,512}"
_UNSAFE = re.compile(rb"[^A-Za-z0-9_-]")
_LEVEL = r"[^/+#\x00]{1,128}"
_PART = re.compile(r"\{([a-z]+)(…|\.\.\.)?\}")
_KINDS = get_args(Kind)
_KIND = "{kind}"
_MANY = ("…}", "...}")
_KEYS = ("filter", "format", "vehicle", "tenant", "qos", "consent")
_ROUTES_KEPT = 200_000


@dataclass(frozen=True)
class Subscription:
    """Topics that are collected.

    Attributes:
        filter: MQTT topic filter.
        format: wire format of messages without a content type.
        vehicle: pattern of the topics, with ``{vehicle}`` and, as needed, ``{tenant}``, ``{owner}``, ``{kind}`` and other
            parts, such as ``{metric…}``.
        tenant: the organisation whose cars they are, where the topic does not tell. It is stored as it is; a person is an
            ``{owner}``, whose name is only part of the car's id.
        qos: quality of service asked for.
        consent: ``service`` where the owner has consented for all of them; what a car says itself goes first.
        kind: what messages are about where the topic does not tell.
    """

    filter: str
    format: str
    vehicle: str
    tenant: str | None = None
    qos: int = 1
    consent: Literal["service"] | None = None
    kind: Kind = "telemetry"

    @cached_property
    def own(self) -> bool:
        """Whether these are Rocade's own topics, in which cars state their consent too."""
        return _KIND in self.vehicle or self.kind == "consent"

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The topics, as a regular expression with the parts as groups."""
        parts = {"vehicle": _FOREIGN_ID if self.own else _LEVEL, "kind": "|".join(_KINDS)}
        text, at = "", 0
        for found in _PART.finditer(self.vehicle):
            text += re.escape(self.vehicle[at : found.start()])
            text += f"(?P<{found[1]}>{'.+' if found[2] else parts.get(found[1], _LEVEL)})"
            at = found.end()
        return re.compile(text + re.escape(self.vehicle[at:]), re.DOTALL)

    def place(self, topic: str) -> Place | None:
        """What ``topic`` tells, or None where it is not one of these."""
        match = self.pattern.fullmatch(topic)
        if match is None:
            return None
        parts = match.groupdict()
        vehicle, kind = parts.pop("vehicle"), cast("Kind", parts.pop("kind", self.kind))
        tenant, owner = parts.pop("tenant", None) or self.tenant, parts.pop("owner", None)
        if not self.own:
            vehicle = _foreign_id(self.format, tenant, owner, vehicle)
        elif kind != "consent" and not _ID.fullmatch(vehicle):
            return None  # cars of foreign software state their consent here, nothing else
        return Place(kind, vehicle, tenant, self.format, "/".join(parts.values()), self.consent == "service")

    def only(self, kind: Kind) -> str | None:
        """The filter of those topics that are about ``kind``; None where there are none."""
        if _KIND not in self.vehicle:
            return self.filter if kind == self.kind else None
        levels = self.vehicle.split("/")
        wild = ("#" if level.endswith(_MANY) else "+" if "{" in level else level for level in levels)
        return "/".join(kind if level == _KIND else found for level, found in zip(levels, wild, strict=True))


OWN = Subscription(f"{TOPICS}/+/+", "rocade", f"{TOPICS}/{{vehicle}}/{{kind}}")
CONSENTS = Subscription(f"{TOPICS}/+/consent", "rocade", f"{TOPICS}/{{vehicle}}/consent", kind="consent")


def load_subscriptions(settings: Settings) -> tuple[Subscription, ...]:
    """What ``rocade.toml`` lists under ``[[subscriptions]]``; Rocade's own topics when it lists nothing.

    Where the consents on Rocade's own topics are left out, they are subscribed to all the same.

    Raises:
        SettingsError: an entry does not make sense.
    """
    listed = tuple(_subscription(entry, at) for at, entry in enumerate(settings.subscriptions, 1))
    if not listed:
        return (OWN,)
    heard = any(each.vehicle == OWN.vehicle and each.only("consent") == CONSENTS.filter for each in listed)
    return listed if heard else (*listed, CONSENTS)


class Router:
    """Tells what a topic is about; topics that were asked before cost a look-up.

    Args:
        subscriptions: the first that a topic fits rules.
    """

    def __init__(self, subscriptions: Sequence[Subscription]) -> None:
        self._subscriptions = subscriptions
        self._places: dict[str, Place] = {}

    def place(self, topic: str) -> Place:
        """What ``topic`` tells."""
        place = self._places.get(topic)
        if place is None:
            if len(self._places) >= _ROUTES_KEPT:
                self._places.clear()
            found: Iterable[Place | None] = (each.place(topic) for each in self._subscriptions)
            place = self._places[topic] = next((each for each in found if each is not None), NOWHERE)
        return place


def _foreign_id(name: str, tenant: str | None, owner: str | None, vehicle: str) -> str:
    before = "" if tenant is None else f"{_escaped(tenant)}:"
    if owner is not None:
        before += f"{_escaped(owner)}~"
    return (before or f"{name}.") + _escaped(vehicle)


def _escaped(text: str) -> str:
    return _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], text.encode("utf-8", "surrogatepass")).decode()


def _subscription(entry: Mapping[str, object], at: int) -> Subscription:
    wrong = _wrong(entry)
    if wrong is not None:
        raise SettingsError(wrong[0], where=f"rocade.toml, subscription {at}", fix=wrong[1])
    return Subscription(**cast("dict[str, Any]", entry))


def _wrong(entry: Mapping[str, object]) -> tuple[str, str] | None:
    """What does not make sense and what to write instead, or None."""
    if strange := sorted(entry.keys() - set(_KEYS)):
        return f"{strange[0]} is no key of a subscription", f"the keys are {', '.join(_KEYS)}"
    for key in ("filter", "format", "vehicle"):
        if not isinstance(entry.get(key), str) or not entry[key]:
            return f"{key} is missing or no text", f'write {key} = "…"'
    faults = {
        "format": (entry["format"] not in FORMATS, f"it is one of {', '.join(FORMATS)}"),
        "qos": (
            type(entry.get("qos", 1)) is not int or entry.get("qos", 1) not in (0, 1),
            "it is 1, or 0 where messages may be lost; 2 cannot be acknowledged when durable",
        ),
        "consent": (
            entry.get("consent") not in (None, "service"),
            'it is "service", or left out: then each car states its own',
        ),
        "tenant": (
            entry.get("tenant") is not None and not _ID.fullmatch(str(entry["tenant"])),
            "it is 1 to 64 letters, digits, _ or -",
        ),
    }
    for key, (fault, fix) in faults.items():
        if fault:
            return f"{key} is {entry[key]!r}", fix
    return _wrong_vehicle(str(entry["filter"]), str(entry["vehicle"]), has_tenant=entry.get("tenant") is not None)


def _wrong_vehicle(topics: str, vehicle: str, *, has_tenant: bool) -> tuple[str, str] | None:
    parts = [found[1] for found in _PART.finditer(vehicle)]
    if parts.count("vehicle") != 1 or len(set(parts)) < len(parts):
        return f"vehicle is {vehicle!r}", "it names {vehicle} once, and no part twice"
    if "kind" in parts and not _tells_kind(vehicle.split("/")):
        return f"vehicle is {vehicle!r}", "{kind} is a level of its own, with no {…} of several levels before it"
    if has_tenant and "tenant" in parts:
        return "the tenant is given twice", "leave out either `tenant` or {tenant}"
    if not _fits(topics, vehicle):
        return (
            f"vehicle {vehicle!r} and filter {topics!r} are not the same topics",
            "write + in the filter for each {…}, and # at its end for {…} with three dots",
        )
    return None


def _tells_kind(levels: Sequence[str]) -> bool:
    """Whether consents can be subscribed to without the rest."""
    return _KIND in levels and not any(level.endswith(_MANY) for level in levels[: levels.index(_KIND)])


def _fits(topics: str, vehicle: str) -> bool:
    """Whether the filter lets through topics of the pattern, level by level."""
    levels, wanted = topics.split("/"), vehicle.split("/")
    for at, level in enumerate(levels):
        if level == "#":
            return at == len(levels) - 1
        if at >= len(wanted) or ("#" in level) or ("+" in level and level != "+"):
            return False
        if level != "+" and level != wanted[at]:
            return False
    rest = wanted[len(levels) - 1]
    return len(levels) == len(wanted) and not rest.endswith(_MANY)
