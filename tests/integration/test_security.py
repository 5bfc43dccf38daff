"""The broker as it is shipped: who gets in, who may say and hear what. See docker/mosquitto.conf and docker/acl."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from secured import NOT_AUTHORIZED, Authority, Peer, Secured, greeting

pytestmark = pytest.mark.mosquitto

OWNER = ("owner-7", "a long pass phrase")


@pytest.fixture(scope="module")
def authority(require: Callable[[str, str], Path], tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(require("openssl", "openssl"), tmp_path_factory.mktemp("ours") / "ca").found()


@pytest.fixture(scope="module")
def broker(
    require: Callable[[str, str], Path], authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Secured]:
    binary = require("mosquitto", "mosquitto")
    secured = Secured(binary, tmp_path_factory.mktemp("secured") / "broker", authority, dict([OWNER])).prepare()
    secured.start()
    yield secured
    secured.stop()


@pytest.fixture
def car(broker: Secured, authority: Authority) -> Iterator[Callable[..., Peer]]:
    """`car("CAR-A")`: a client with that certificate; "collector" is one, too."""
    made: list[Peer] = []

    def come(name: str, **more: str) -> Peer:
        made.append(Peer(broker.cars, authority.context(name), **more))
        return made[-1]

    yield come
    for each in made:
        each.leave()


# --- who gets in


def test_a_certificate_of_ours_lets_in(broker: Secured, authority: Authority) -> None:
    assert greeting(broker.cars, authority.context("CAR-A")) == 0


def test_no_certificate(broker: Secured, authority: Authority) -> None:
    assert greeting(broker.cars, authority.context()) is None
    assert greeting(broker.cars, authority.context(), OWNER) is None  # nor does a password help


def test_a_certificate_that_expired_yesterday(broker: Secured, authority: Authority) -> None:
    assert greeting(broker.cars, authority.context("CAR-A", days=-1)) is None


def test_a_certificate_of_a_foreign_authority(
    broker: Secured, authority: Authority, require: Callable[[str, str], Path], tmp_path: Path
) -> None:
    theirs = Authority(require("openssl", "openssl"), tmp_path / "theirs").found()
    context = authority.context()  # trusts the broker, and shows what somebody else has signed in the same name
    context.load_cert_chain(*theirs.sign("CAR-A"))
    assert greeting(broker.cars, context) is None


def test_plain_mqtt_is_not_spoken(broker: Secured) -> None:
    assert greeting(broker.cars, None) is None
    assert greeting(broker.owners, None, OWNER) is None


def test_tls_older_than_1_2_is_not_spoken(broker: Secured, authority: Authority) -> None:
    context = authority.context("CAR-A")
    context.set_ciphers("ALL:@SECLEVEL=0")
    for version, answer in ((ssl.TLSVersion.TLSv1_2, 0), (ssl.TLSVersion.TLSv1_3, 0)):
        context.minimum_version = context.maximum_version = version
        assert greeting(broker.cars, context) == answer
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert greeting(broker.cars, context) is None


@pytest.mark.parametrize(
    "login", [None, ("owner-7", "wrong"), ("owner-7", ""), ("nobody", "a long pass phrase"), ("collector", "")]
)
def test_without_a_known_name_and_its_password(
    broker: Secured, authority: Authority, login: tuple[str, str] | None
) -> None:
    assert greeting(broker.owners, authority.context(), login) == NOT_AUTHORIZED


def test_a_car_s_certificate_is_no_password(broker: Secured, authority: Authority) -> None:
    assert greeting(broker.owners, authority.context("CAR-A")) == NOT_AUTHORIZED


def test_the_certificate_s_name_counts_and_not_the_one_that_is_told(broker: Secured, authority: Authority) -> None:
    pretender = Peer(broker.cars, authority.context("CAR-A"), login=("CAR-B", ""))
    assert pretender.say("rocade/v1/CAR-B/telemetry") == NOT_AUTHORIZED
    assert pretender.say("rocade/v1/CAR-A/telemetry") in (0, 0x10)
    pretender.leave()


# --- who may say what


@pytest.mark.parametrize("said", ["telemetry", "consent", "state"])
def test_a_car_says_its_own(car: Callable[..., Peer], said: str) -> None:
    collector, one = car("collector"), car("CAR-A")
    collector.listen("rocade/v1/+/+")
    assert one.say(f"rocade/v1/CAR-A/{said}") == 0
    assert collector.hears(1)
    assert collector.heard == [(f"rocade/v1/CAR-A/{said}", b"x")]


@pytest.mark.parametrize(
    "topic",
    [
        *(f"rocade/v1/CAR-B/{what}" for what in ("telemetry", "consent", "state", "advice")),
        "rocade/v1/CAR-A/advice",
        "rocade/v1/CAR-A/telemetry/more",
        "rocade/v1/CAR-A",
        "rocade/v1//telemetry",
        "rocade/v2/CAR-A/telemetry",
        "rocade/v1/CAR-a/telemetry",
        "elsewhere",
        "$SYS/broker/uptime",
    ],
)
def test_a_car_says_nothing_else(car: Callable[..., Peer], topic: str) -> None:
    collector, one = car("collector"), car("CAR-A")
    collector.listen("rocade/#")
    assert one.say(topic, b"forged") == NOT_AUTHORIZED
    assert one.say("rocade/v1/CAR-A/telemetry", b"after") == 0
    assert collector.hears(1)
    assert collector.heard == [("rocade/v1/CAR-A/telemetry", b"after")]


def test_a_last_will_is_held_to_the_same(car: Callable[..., Peer], broker: Secured, authority: Authority) -> None:
    collector = car("collector")
    collector.listen("rocade/v1/+/+")
    for topic in ("rocade/v1/CAR-B/state", "rocade/v1/CAR-A/state"):
        Peer(broker.cars, authority.context("CAR-A"), will=topic).leave(politely=False)
    assert collector.hears(1)
    time.sleep(0.3)
    assert collector.heard == [("rocade/v1/CAR-A/state", b"offline")]


@pytest.mark.parametrize("name", ["+", "#", "CAR-A/telemetry", "$SYS", "%u", ""])
def test_a_name_that_means_something_opens_nothing(
    broker: Secured, authority: Authority, car: Callable[..., Peer], name: str
) -> None:
    context = authority.context()
    context.load_cert_chain(*authority.sign("odd-" + name.encode().hex(), subject=name))
    car("CAR-A").say("rocade/v1/CAR-A/consent", b"{}", retain=True)
    for topic in ("rocade/v1/CAR-A/telemetry", "rocade/v1/CAR-A/consent"):
        odd = Peer(broker.cars, context)
        odd.listen("rocade/v1/+/advice", "rocade/v1/#", "rocade/v1/CAR-A/consent", retained=True)
        assert odd.say(topic) in (None, NOT_AUTHORIZED)
        assert not odd.hears(1, 0.1)
        odd.leave()


# --- who may hear what


def test_a_car_hears_its_own_advice_and_nothing_else(car: Callable[..., Peer]) -> None:
    one, other = car("CAR-A"), car("CAR-B")
    other.listen("rocade/v1/CAR-B/advice")
    filters = ("#", "+/+/+/+", "rocade/v1/CAR-B/#", "$SYS/#", "$share/g/rocade/v1/+/telemetry")
    one.listen(*filters)
    for said in ("telemetry", "consent", "state"):
        assert other.say(f"rocade/v1/CAR-B/{said}", retain=said != "telemetry") in (0, 0x10)
        assert one.say(f"rocade/v1/CAR-A/{said}") in (0, 0x10)
    late = car("CAR-C")  # retained messages are not for it either
    late.listen(*filters, retained=True)
    coach = car("coach")
    coach.listen("#", "rocade/v1/+/telemetry")
    for name in ("CAR-B", "CAR-A"):
        assert coach.say(f"rocade/v1/{name}/advice", name.encode()) == 0
    assert one.hears(1)
    assert coach.say("rocade/v1/CAR-A/telemetry") == coach.say("rocade/v1/CAR-A/consent") == NOT_AUTHORIZED
    time.sleep(0.3)
    assert set(one.heard) == {("rocade/v1/CAR-A/advice", b"CAR-A")}  # once a filter that matches
    assert late.heard == coach.heard == []


def test_the_collector_hears_all_and_says_nothing(car: Callable[..., Peer]) -> None:
    collector, cars = car("collector"), [car("CAR-A"), car("CAR-B")]
    assert collector.listen("rocade/v1/+/+") == [1]
    for number, each in enumerate(cars):
        for said in ("telemetry", "consent", "state"):
            each.say(f"rocade/v1/CAR-{'AB'[number]}/{said}")
    assert collector.hears(6)
    for topic in ("CAR-A/telemetry", "CAR-A/consent", "CAR-A/advice", "collector/telemetry", "collector/consent"):
        assert collector.say(f"rocade/v1/{topic}") == NOT_AUTHORIZED
    assert not collector.hears(7, 0.3)


def test_workers_that_share_a_subscription_hear_each_message_once(car: Callable[..., Peer]) -> None:
    workers = [car("collector"), car("collector")]
    for worker in workers:
        assert worker.listen("$share/rocade/rocade/v1/+/+") == [1]
    one = car("CAR-A")
    for number in range(100):
        one.say("rocade/v1/CAR-A/telemetry", b"%d" % number)
    deadline = time.monotonic() + 10
    while sum(len(worker.heard) for worker in workers) < 100 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert sorted(int(payload) for worker in workers for _, payload in worker.heard) == list(range(100))
    assert all(worker.heard for worker in workers)


def test_the_collector_sees_what_the_broker_has_dropped(car: Callable[..., Peer]) -> None:
    collector = car("collector")
    collector.listen("$SYS/broker/publish/messages/dropped", retained=True)
    assert collector.hears(1)


def test_an_owner_s_device_says_its_own_by_password(
    car: Callable[..., Peer], broker: Secured, authority: Authority
) -> None:
    collector = car("collector")
    collector.listen("rocade/v1/+/+")
    device = Peer(broker.owners, authority.context(), login=OWNER)
    assert device.say("rocade/v1/owner-7/telemetry") == 0
    assert device.say("rocade/v1/CAR-A/telemetry") == NOT_AUTHORIZED
    assert collector.hears(1)
    assert collector.heard == [("rocade/v1/owner-7/telemetry", b"x")]
    device.leave()


def test_a_car_that_was_stolen_is_shut_out_without_a_restart(broker: Secured, authority: Authority) -> None:
    stolen = Peer(broker.cars, authority.context("CAR-9"))
    assert stolen.say("rocade/v1/CAR-9/telemetry") in (0, 0x10)
    with (broker.folder / "acl").open("a") as acl:
        acl.write("\nuser CAR-9\ntopic deny rocade/v1/CAR-9/#\n")
    broker.reload()
    assert stolen.say("rocade/v1/CAR-9/telemetry") == NOT_AUTHORIZED
    other = Peer(broker.cars, authority.context("CAR-A"))
    assert other.say("rocade/v1/CAR-A/telemetry") in (0, 0x10)
    for each in (stolen, other):
        each.leave()
