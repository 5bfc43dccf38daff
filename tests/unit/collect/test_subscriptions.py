from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from pipelines.collect.formats import Place
from pipelines.collect.subscriptions import NOWHERE, OWN, Router, Subscription, load_subscriptions
from pipelines.errors import SettingsError
from pipelines.settings import Settings, load_settings

OVMS = {
    "filter": "ovms/+/+/metric/#",
    "format": "ovms",
    "vehicle": "ovms/{owner}/{vehicle}/metric/{metric…}",
}
TESLAMATE = {
    "filter": "teslamate/cars/+/+",
    "format": "teslamate",
    "vehicle": "teslamate/cars/{vehicle}/{topic}",
    "tenant": "ada",
    "consent": "service",
}


def settings(tmp_path: Path, *entries: dict[str, Any]) -> Settings:
    return load_settings(home=tmp_path, subscriptions=entries)


def test_rocade_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rocade.toml").write_text(
        '[[subscriptions]]\nfilter = "ovms/+/+/metric/#"\nformat = "ovms"\n'
        'vehicle = "ovms/{tenant}/{vehicle}/metric/{metric...}"\nqos = 0\n'
        '[[subscriptions]]\nfilter = "rocade/v1/+/+"\nformat = "rocade"\nvehicle = "rocade/v1/{vehicle}/{kind}"\n',
        encoding="utf-8",
    )
    found = load_subscriptions(load_settings())
    assert [(each.filter, each.qos) for each in found] == [("ovms/+/+/metric/#", 0), ("rocade/v1/+/+", 1)]


def test_without_any_they_are_rocades_own(tmp_path: Path) -> None:
    assert load_subscriptions(settings(tmp_path)) == (OWN,)


def test_consents_are_heard_in_any_case(tmp_path: Path) -> None:
    found = load_subscriptions(settings(tmp_path, OVMS))
    assert [each.filter for each in found] == ["ovms/+/+/metric/#", "rocade/v1/+/consent"]
    assert Router(found).place("rocade/v1/ada~DEMO/consent") == Place("consent", "ada~DEMO")
    assert Router(found).place("rocade/v1/CAR1/telemetry") is NOWHERE  # nobody has listed it


@pytest.mark.parametrize(
    ("filter_", "vehicle", "consents", "telemetry"),
    [
        ("rocade/v1/+/+", "rocade/v1/{vehicle}/{kind}", "rocade/v1/+/consent", "rocade/v1/+/telemetry"),
        ("#", "fleet/{vehicle}/{kind}", "fleet/+/consent", "fleet/+/telemetry"),
        ("fleet/#", "fleet/{kind}/{vehicle}/{rest…}", "fleet/consent/+/#", "fleet/telemetry/+/#"),
        ("viss/+", "viss/{vehicle}", None, "viss/+"),
    ],
)
def test_the_topics_of_one_kind(filter_: str, vehicle: str, consents: str | None, telemetry: str | None) -> None:
    found = Subscription(filter_, "rocade", vehicle)
    assert (found.only("consent"), found.only("telemetry")) == (consents, telemetry)


def test_what_a_topic_tells(tmp_path: Path) -> None:
    place = Router(load_subscriptions(settings(tmp_path, OVMS, TESLAMATE))).place
    assert place("ovms/ada/DEMO/metric/v/b/soc") == Place("telemetry", "ada~DEMO", None, "ovms", "v/b/soc")
    assert place("teslamate/cars/1/speed") == Place("telemetry", "ada:1", "ada", "teslamate", "speed", service=True)
    assert place("ovms/ada/DEMO/status") is NOWHERE
    assert place("teslamate/cars/1/speed/more") is NOWHERE


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "csv"}, "format is 'csv'.*one of rocade"),
        ({"filter": ""}, "filter is missing"),
        ({"vehicle": 5}, "vehicle is missing or no text"),
        ({"topics": "x"}, "topics is no key.*the keys are filter"),
        ({"qos": 2}, "qos is 2"),
        ({"qos": True}, "qos is True"),
        ({"consent": "yes"}, "consent is 'yes'"),
        ({"tenant": "a b"}, "tenant is 'a b'"),
        ({"tenant": "ada", "vehicle": "ovms/{tenant}/{vehicle}/metric/{metric…}"}, "tenant is given twice"),
        ({"vehicle": "ovms/{tenant}/x/metric/{metric…}"}, "names {vehicle} once"),
        ({"vehicle": "ovms/{vehicle}/{vehicle}/metric/{metric…}"}, "names {vehicle} once"),
        ({"vehicle": "other/{tenant}/{vehicle}/metric/{metric…}"}, "not the same topics"),
        ({"filter": "ovms/+/metric/#"}, "not the same topics"),
        ({"filter": "fleet/+/+", "vehicle": "fleet/{vehicle}/x-{kind}"}, "{kind} is a level of its own"),
        ({"filter": "fleet/#", "vehicle": "fleet/{path…}/{vehicle}/{kind}"}, "no {…} of several levels"),
        ({"filter": "ovms/+/+/metric/+"}, "not the same topics"),
        ({"filter": "ovms/#/metric"}, "not the same topics"),
    ],
)
def test_a_subscription_that_makes_no_sense(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_subscriptions(settings(tmp_path, TESLAMATE, OVMS | changes))
    assert re.search(words, f"{caught.value} {caught.value.fix}")
    assert caught.value.where == "rocade.toml, subscription 2"


def test_no_car_can_take_the_id_of_another() -> None:
    """Whoever may choose the names in its own topics can meet no id but its own."""
    names = [
        "a",
        "b",
        "a-b",
        "b-c",
        "c",
        "a:b",
        "a~b",
        "a.b",
        "b:c",
        "b~c",
        "ovms",
        "teslamate",
        "1",
        "a%3Ab",
        "é",
        "%",
    ]
    found: dict[str, tuple[str, ...]] = {}
    for tenant in (None, "a", "a-b", "ovms"):
        for name, pattern, parts in (
            ("ovms", "x/{owner}/{vehicle}", 2),
            ("ovms", "x/{vehicle}", 1),
            ("teslamate", "x/{vehicle}", 1),
        ):
            each = Subscription("x/#", name, pattern, tenant)
            for topic in product(names, repeat=parts):
                place = each.place("/".join(("x", *topic)))
                assert place is not None
                who = (str(tenant), *topic) if parts == 2 or tenant else (name, *topic)
                assert found.setdefault(place.vehicle, who) == who, place.vehicle
    for tenant_topic in product(names, repeat=2):
        place = Subscription("x/#", "ovms", "x/{tenant}/{vehicle}").place("/".join(("x", *tenant_topic)))
        assert place is not None
        assert found.setdefault(place.vehicle, tenant_topic) == tenant_topic, place.vehicle
    for theirs in found:
        assert OWN.place(f"rocade/v1/{theirs}/telemetry") is None  # no car of ours can be called so
        assert OWN.place(f"rocade/v1/{theirs}/consent") == Place("consent", theirs)  # but this is where it consents
