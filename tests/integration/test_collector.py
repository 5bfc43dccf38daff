"""The collector against a real broker: nothing lost, nothing twice, nothing without consent."""

from __future__ import annotations

import csv
import errno
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from pipelines.collect import Collector, CollectReport, Until, collect, land_pending
from pipelines.errors import CollectError
from pipelines.fleet.broker import EmbeddedBroker
from pipelines.lake.duck import connect
from pipelines.lake.store import Lake
from pipelines.progress import Progress, Silent
from pipelines.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Mosquitto

pytestmark = pytest.mark.mosquitto

RUNNER = Path(__file__).with_name("collector_process.py")
ROOT = Path(__file__).parents[2]
TWIZY = sorted((ROOT / "../shared/data/vehicles/twizy_ev").glob("*.csv"))
QUIET = Until(idle_s=1.5)


class Car:
    """Publishes as a car does: QoS 1, content type, one boot."""

    def __init__(self, broker: Mosquitto | EmbeddedBroker, name: str) -> None:
        self.name, self.boot, self.seq = name, str(uuid.uuid4()), 0
        self._properties = Properties(PacketTypes.PUBLISH)
        self._properties.ContentType = "application/vnd.rocade+json"
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.max_inflight_messages_set(1000)
        self._client.connect("127.0.0.1", int(broker.url.rsplit(":", 1)[1]))
        self._client.loop_start()

    def say(self, topic: str, payload: bytes | str, *, retain: bool = False) -> mqtt.MQTTMessageInfo:
        properties = self._properties if topic == "telemetry" else None
        return self._client.publish(f"rocade/v1/{self.name}/{topic}", payload, 1, retain, properties)

    def consent(self, level: str, ts: int | None = None) -> None:
        said = {"consent": level} | ({} if ts is None else {"ts": ts})
        self.say("consent", json.dumps(said), retain=True).wait_for_publish()

    def drive(self, *rows: Any, t0: int | None = None) -> mqtt.MQTTMessageInfo:
        batch = {"vss": "6.0", "boot": self.boot, "seq": self.seq, "t0": t0 or now(), "rows": rows}
        self.seq += 1
        return self.say("telemetry", json.dumps(batch))

    def park(self) -> None:
        while self._client._out_messages:  # noqa: SLF001 - there is no public count of what is unacknowledged
            time.sleep(0.02)
        self._client.disconnect()
        self._client.loop_stop()


class Told(Silent):
    """Hears when the broker is back."""

    def __init__(self) -> None:
        self.back = threading.Event()

    def note(self, text: str) -> None:
        if "is back" in text:
            self.back.set()


@contextmanager
def running(
    settings: Settings, until: Until = QUIET, progress: Progress | None = None
) -> Iterator[list[CollectReport]]:
    """A collector that is subscribed; the list has its report after the context."""
    reports: list[CollectReport] = []
    collector = Collector(settings, until=until, progress=progress)
    thread = threading.Thread(target=lambda: reports.append(collector.run()))
    thread.start()
    assert collector.ready.wait(20)
    yield reports
    thread.join()
    assert reports


@pytest.fixture
def settings_for(tmp_path: Path) -> Callable[..., Settings]:
    def make(broker: Mosquitto, **more: Any) -> Settings:
        return load_settings(home=tmp_path / "home", mqtt_url=broker.url, **({"land_seconds": 0.3} | more))

    return make


@pytest.fixture
def cars(mosquitto: Mosquitto) -> Iterator[Callable[[str], Car]]:
    made: list[Car] = []

    def make(name: str) -> Car:
        made.append(Car(mosquitto, name))
        return made[-1]

    yield make
    for car in made:
        car.park()


def now() -> int:
    return int(time.time() * 1000)


def rows_of(settings: Settings, table: str, columns: str = "*") -> list[dict[str, Any]]:
    lake = Lake(settings.lake)
    if not lake.exists(table):
        return []
    con = connect(settings)
    try:
        found: list[dict[str, Any]] = (
            con.sql(f"SELECT {columns} FROM {lake.relation_sql(table)} AS t").to_arrow_table().to_pylist()
        )
        return found
    finally:
        con.close()


def everything_under(folder: Path) -> bytes:
    return b"\n".join(str(file).encode() + file.read_bytes() for file in folder.rglob("*") if file.is_file())


def test_rows_in_are_rows_out(mosquitto: Mosquitto, cars: Callable[[str], Car], settings_for: Any) -> None:
    settings = settings_for(mosquitto, batch_messages=37)
    fleet = [cars(f"CAR{number}") for number in range(4)]
    for car in fleet:
        car.consent("service")
    start = now()
    with running(settings) as reports:
        for message in range(250):
            for car in fleet:
                rows = [[100 * row, {"Vehicle.Speed": row + 0.5, "Vehicle.IsMoving": True}] for row in range(3)]
                car.drive(*rows, t0=start + 300 * message)
    found = rows_of(settings, "core.readings")
    assert reports[0].readings == len(found) == 4 * 250 * 3 * 2
    assert len({(row["vehicle"], row["boot"], row["seq"], row["row"], row["signal"]) for row in found}) == len(found)
    assert {row["boot"] for row in found} == {car.boot for car in fleet}
    assert len({row["vehicle"] for row in found}) == 4
    speeds = [row for row in found if row["signal"] == "Vehicle.Speed"]
    assert sum(row["value"] for row in speeds) == 4 * 250 * 4.5
    first = min(row["ts"] for row in found)
    assert first == datetime.fromtimestamp(start / 1000, UTC)
    assert reports[0].duplicates == reports[0].silent == 0
    assert not reports[0].quarantined
    assert not list((settings.journal / settings.collector_name).glob("*.arrow"))


def test_what_is_published_while_nobody_listens_is_kept(
    mosquitto: Mosquitto, cars: Callable[[str], Car], settings_for: Any
) -> None:
    settings = settings_for(mosquitto)
    car = cars("CAR1")
    car.consent("service")
    collect(settings, until=Until(idle_s=0.1))
    for _ in range(3000):  # beyond the thousand that a broker keeps by default
        car.drive([0, {"Vehicle.Speed": 1}])
    car.park()
    report = collect(settings, until=QUIET)
    assert report.readings == 3000
    assert len(rows_of(settings, "core.readings")) == 3000


def test_a_retained_consent_is_known_before_the_queued_telemetry(
    mosquitto: Mosquitto, cars: Callable[[str], Car], settings_for: Any
) -> None:
    settings = settings_for(mosquitto, batch_messages=5, receive_maximum=10)
    collect(settings, until=Until(idle_s=0.1))
    car = cars("CAR1")
    for _ in range(50):  # more than are held for an unknown car
        car.drive([0, {"Vehicle.Speed": 1}])
    car.consent("service", ts=now() - 60_000)  # queued behind the telemetry, and retained
    assert collect(settings, until=QUIET).readings == 50


def test_an_unknown_car_leaves_nothing_on_disk(
    mosquitto: Mosquitto, cars: Callable[[str], Car], settings_for: Any
) -> None:
    settings = settings_for(mosquitto)
    known, stranger, silent = cars("KNOWN-CAR"), cars("STRANGER-77"), cars("SILENT-88")
    known.consent("service")
    silent.consent("silent")
    with running(settings, Until(idle_s=3)) as reports:
        for car in (known, stranger, silent):
            car.drive([0, {"Vehicle.Speed": 1, "Vehicle.AverageSpeed": -2}], [0, {"Vehicle.Speed": 999}])
            car.say("telemetry", b"not json, from " + car.name.encode() + b" under " + car.boot.encode())
            car.say("state", "online " + car.name)
    assert reports[0].silent == 4
    assert len(rows_of(settings, "core.readings")) == 1
    assert len(rows_of(settings, "quarantine.messages")) == 3
    disk = everything_under(settings.root)
    assert known.boot.encode() in disk
    assert len({row["vehicle"] for row in rows_of(settings, "core.readings")}) == 1
    from pipelines.privacy.pseudonyms import Pseudonyms

    for car in (stranger, silent):
        for trace in (car.name, car.boot, Pseudonyms(settings.keys).vehicle(car.name, now())):
            assert trace.encode() not in disk, trace
    readings = rows_of(settings, "core.readings")[0]
    assert readings["vehicle"] == Pseudonyms(settings.keys).vehicle("KNOWN-CAR", now())
    assert len((settings.root / "privacy" / "consent.jsonl").read_text().splitlines()) == 1


def test_a_car_is_silent_from_its_withdrawal_on(
    mosquitto: Mosquitto, cars: Callable[[str], Car], settings_for: Any
) -> None:
    settings = settings_for(mosquitto)
    car = cars("CAR1")
    start = now() - 60_000
    with running(settings) as reports:
        car.consent("service+statistics", ts=start)
        car.drive(*[[1000 * second - 5000, {"Vehicle.Speed": second}] for second in range(10)], t0=start)
        car.consent("silent", ts=start + 20_000)
        car.drive(*[[1000 * second, {"Vehicle.Speed": 100 + second}] for second in range(15, 25)], t0=start)
        car.drive([30_000, {"Vehicle.Speed": 200}], t0=start)
        car.say("telemetry", b"{")
    values = sorted(row["value"] for row in rows_of(settings, "core.readings"))
    assert values == [5, 6, 7, 8, 9, 115, 116, 117, 118, 119]
    assert reports[0].silent == 2
    assert rows_of(settings, "quarantine.messages") == []
    # A new start knows the whole timeline, though the broker retains its last word alone.
    car.drive([10_000, {"Vehicle.Speed": 300}], [40_000, {"Vehicle.Speed": 400}], t0=start)
    assert collect(settings, until=QUIET).readings == 1
    assert max(row["value"] for row in rows_of(settings, "core.readings")) == 300


def test_bad_input_waits_in_quarantine_and_blocks_nothing(
    mosquitto: Mosquitto, cars: Callable[[str], Car], settings_for: Any
) -> None:
    settings = settings_for(mosquitto, batch_messages=5, receive_maximum=10)
    car = cars("CAR1")
    car.consent("service")
    with running(settings) as reports:
        for number in range(30):  # more than the window holds
            car.say("telemetry", b"not json %d" % number)
        car.drive([0, {"Vehicle.Speed": 1, "what a colour": 3}])
        car.drive([0, {"Vehicle.Speed": 1000, "Vehicle.CurrentLocation.Latitude": 91}])
        car.drive([0, {"Vehicle.Speed": "fast"}])
        car.drive([0, {"Vehicle.Speed": 1}], t0=86_400_000)
        car.drive([0, {"Vehicle.Speed": 1}], t0=3_800_000_000_000)
        car.say("telemetry", b'{"vss":"6.0"}')
        car.say("consent", b"maybe")
        thrice = json.dumps(
            {"vss": "6.0", "boot": str(uuid.uuid4()), "seq": 0, "t0": now(), "rows": [[0, {"Vehicle.Speed": 42}]]}
        )
        for _ in range(3):
            car.say("telemetry", thrice)
    assert reports[0].quarantined == {
        "not_json": 30,
        "bad_batch": 1,
        "unknown_signal": 1,
        "out_of_range": 2,
        "wrong_type": 1,
        "clock_past": 1,
        "clock_future": 1,
        "bad_consent": 1,
    }
    assert reports[0].duplicates == 2
    assert sorted(row["value"] for row in rows_of(settings, "core.readings")) == [1, 42]
    waiting = rows_of(settings, "quarantine.messages")
    assert len(waiting) == 38
    assert sorted(row["payload"] for row in waiting if row["reason"] == "not_json") == sorted(
        b"not json %d" % number for number in range(30)
    )
    assert all(row["detail"] for row in waiting)


def test_messages_that_come_again_after_a_restart_land_once(
    mosquitto: Mosquitto, cars: Callable[[str], Car], settings_for: Any
) -> None:
    settings = settings_for(mosquitto)
    car = cars("CAR1")
    car.consent("service")
    for _ in range(2):  # all is sent again, and known from the lake alone
        with running(settings) as reports:
            car.seq = 0
            for _ in range(20):
                car.drive([0, {"Vehicle.Speed": 1, "Vehicle.AverageSpeed": -1}])
            car.say("telemetry", b"{")
    assert reports[0].duplicates == 21
    assert len(rows_of(settings, "core.readings")) == 20
    assert len(rows_of(settings, "quarantine.messages")) == 21


def test_it_comes_back_when_the_broker_does(mosquitto: Mosquitto, settings_for: Any) -> None:
    settings = settings_for(mosquitto)
    with running(settings, Until(messages=201)) as reports:
        car = Car(mosquitto, "CAR1")
        car.consent("service")
        for _ in range(100):
            car.drive([0, {"Vehicle.Speed": 1}])
        car.park()
        mosquitto.stop()
        mosquitto.start()
        car = Car(mosquitto, "CAR1")
        for _ in range(100):
            car.drive([0, {"Vehicle.Speed": 1}])
        car.park()
    assert reports[0].readings + reports[0].duplicates + reports[0].consents >= 201
    collect(settings, until=QUIET)
    found = rows_of(settings, "core.readings", "boot, seq")
    assert len(found) == len({(row["boot"], row["seq"]) for row in found}) == 200


def test_a_broker_that_forgot_us_is_asked_for_its_consents_again(mosquitto: Mosquitto, settings_for: Any) -> None:
    settings = settings_for(mosquitto)
    told = Told()
    with running(settings, Until(idle_s=5), told) as reports:
        mosquitto.stop()
        (mosquitto.folder / "mosquitto.db").unlink()
        mosquitto.start()
        car = Car(mosquitto, "CAR1")
        car.consent("service")  # while the collector waits to try again
        assert told.back.wait(20)
        car.drive([0, {"Vehicle.Speed": 1}])
        car.park()
    assert reports[0].readings == 1


def test_a_broker_with_a_smaller_window_than_ours(tmp_path: Path) -> None:
    with EmbeddedBroker() as broker:  # keeps 100 in flight at most, whatever we say
        settings = load_settings(home=tmp_path, mqtt_url=broker.url, land_seconds=0.3)
        car = Car(broker, "CAR1")
        car.consent("service")
        collect(settings, until=Until(idle_s=0.1))
        for _ in range(500):
            car.drive([0, {"Vehicle.Speed": 1}])
        car.park()
        assert collect(settings, until=QUIET).readings == 500


def test_two_collectors_of_one_name_are_refused(mosquitto: Mosquitto, settings_for: Any) -> None:
    settings = settings_for(mosquitto)
    with running(settings):
        with pytest.raises(CollectError, match="at work already"):
            collect(settings)
        assert land_pending(settings).busy == (settings.collector_name,)


def test_a_broker_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, mqtt_url="mqtt://anna:secret@127.0.0.1:9")
    with pytest.raises(CollectError, match="cannot be reached") as caught:
        collect(settings)
    assert "mqtt://127.0.0.1:9" in str(caught.value)
    assert "ROCADE_MQTT_URL" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_credentials(
    mosquitto_with: Callable[[str], Mosquitto], require: Callable[[str, str], Path], tmp_path: Path
) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(
        [require("mosquitto_passwd", "mosquitto"), "-b", "-c", passwords, "anna", "right"],
        check=True,
        capture_output=True,
    )
    broker = mosquitto_with(f"allow_anonymous false\npassword_file {passwords}")
    for user in ("", "anna:wrong@"):
        settings = load_settings(home=tmp_path / "home", mqtt_url=f"mqtt://{user}127.0.0.1:{broker.port}")
        with pytest.raises(CollectError, match="refuses the connection") as caught:
            collect(settings)
        assert "user:password@host" in str(caught.value)
        assert "wrong" not in str(caught.value)
    settings = load_settings(home=tmp_path / "home", mqtt_url=f"mqtt://anna:right@127.0.0.1:{broker.port}")
    assert collect(settings, until=Until(idle_s=0.1)).messages == 0


@pytest.mark.parametrize("kills", [pytest.param(3, id="short"), pytest.param(10, id="long", marks=pytest.mark.faults)])
def test_killed_at_random_moments_it_loses_nothing_and_doubles_nothing(
    mosquitto: Mosquitto, cars: Callable[[str], Car], settings_for: Any, kills: int
) -> None:
    small: dict[str, Any] = {"batch_messages": 100, "receive_maximum": 500, "batch_seconds": 0.05, "land_seconds": 0.2}
    settings = settings_for(mosquitto, **small)
    environment = {f"ROCADE_{key.upper()}": str(value) for key, value in small.items()} | {
        "ROCADE_HOME": str(settings.home),
        "ROCADE_MQTT_URL": settings.mqtt_url,
        "PYTHONPATH": str(ROOT),
    }
    chance = random.Random(kills)
    car = cars("CAR1")
    car.consent("service")
    collect(settings, until=Until(idle_s=0.1))  # so that the broker keeps what nobody takes
    messages = 4000 * kills
    start = now()

    def drive() -> None:
        for number in range(messages):
            rows = [[row, {"Vehicle.Speed": number % 100, "Vehicle.AverageSpeed": -1 - row}] for row in range(2)]
            car.drive(*rows, t0=start + number)
            if number % 500 == 0:
                car.say("telemetry", b"poison %d" % number)

    driving = threading.Thread(target=drive)
    driving.start()
    for _ in range(kills):
        child = subprocess.Popen(
            [sys.executable, RUNNER], env=os.environ | environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, 1.2))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    driving.join()
    car.park()
    report = collect(settings, until=QUIET)
    found = rows_of(settings, "core.readings", "boot, seq, row, value")
    assert len(found) == len({(row["seq"], row["row"]) for row in found}) == 2 * messages
    assert sum(row["value"] for row in found) == 2 * sum(number % 100 for number in range(messages))
    waiting = rows_of(settings, "quarantine.messages", "reason, seq, row, payload")
    assert len([row for row in waiting if row["reason"] == "out_of_range"]) == 2 * messages
    assert len({(row["seq"], row["row"], row["payload"]) for row in waiting}) == len(waiting)
    assert len([row for row in waiting if row["reason"] == "not_json"]) == messages // 500
    assert report.readings < 2 * messages  # the ones before the kills counted


@pytest.mark.faults
@pytest.mark.skipif(not TWIZY, reason="the Twizy logs are not in ../shared/data")
def test_rocade_collect_killed_ten_times_while_rocade_replay_plays_real_logs(
    mosquitto: Mosquitto, settings_for: Any
) -> None:
    small: dict[str, Any] = {"batch_messages": 20, "receive_maximum": 100, "batch_seconds": 0.05, "land_seconds": 0.2}
    settings = settings_for(mosquitto, **small)
    environment = {f"ROCADE_{key.upper()}": str(value) for key, value in small.items()} | {
        "ROCADE_HOME": str(settings.home),
        "ROCADE_MQTT_URL": settings.mqtt_url,
        "PYTHONPATH": str(ROOT),
    }

    def rocade(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "pipelines.cli", *arguments]
        return subprocess.Popen(command, env=os.environ | environment, cwd=ROOT, stdout=subprocess.DEVNULL)

    assert rocade("collect", "--idle", "0.1").wait() == 0  # so that the broker keeps what nobody takes
    # 40,380 s of driving in about 100 s
    replaying = rocade("replay", *map(str, TWIZY), "--layout", "twizy", "--speed", "400")
    chance, killed_while_playing, progress = random.Random(2), 0, []
    for _ in range(10):
        child = rocade("collect", "--json")
        time.sleep(chance.uniform(3, 8))
        child.send_signal(signal.SIGKILL)
        child.wait()
        killed_while_playing += replaying.poll() is None
        progress.append(len(rows_of(settings, "core.readings", "seq")))
    assert replaying.wait() == 0
    assert rocade("collect", "--idle", "3").wait() == 0
    assert killed_while_playing == 10
    assert 0 < progress[0] < progress[-1]

    expected: Counter[float] = Counter()
    lines = 0
    for file in TWIZY:
        with file.open(newline="", encoding="utf-8") as text:
            speeds = [float(row["Speed"]) for row in csv.DictReader(text)]
        lines += len(speeds)
        expected.update(speeds)
    found = rows_of(settings, "core.readings", "vehicle, boot, seq, row, signal, value")
    identities = {(each["boot"], each["seq"], each["row"], each["signal"]) for each in found}
    assert len(identities) == len(found)
    assert len({(each["boot"], each["seq"], each["row"]) for each in found}) == lines
    assert Counter(each["value"] for each in found if each["signal"] == "Vehicle.Speed") == expected
    assert rows_of(settings, "quarantine.messages") == []


def test_of_what_a_full_disk_does_not_take_nothing_is_acknowledged(
    mosquitto: Mosquitto, cars: Callable[[str], Car], settings_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(mosquitto)
    car = cars("CAR1")
    car.consent("service")
    collect(settings, until=Until(idle_s=0.1))
    for _ in range(10):
        car.drive([0, {"Vehicle.Speed": 1}])
    car.park()

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.collect.journal.sync_folder", full)  # the very last step
        with pytest.raises(CollectError, match="cannot be written: No space left on device") as caught:
            collect(settings, until=QUIET)
    assert str(settings.journal / settings.collector_name) in str(caught.value)
    report = collect(settings, until=QUIET)
    assert report.messages >= 10  # they all come again
    found = rows_of(settings, "core.readings", "seq")
    assert sorted(row["seq"] for row in found) == list(range(10))


def test_a_polite_stop_finishes_what_was_received(
    mosquitto: Mosquitto, cars: Callable[[str], Car], settings_for: Any
) -> None:
    settings = settings_for(mosquitto, land_seconds=60)
    environment = {
        "ROCADE_HOME": str(settings.home),
        "ROCADE_MQTT_URL": settings.mqtt_url,
        "ROCADE_LAND_SECONDS": "60",
        "PYTHONPATH": str(ROOT),
    }
    car = cars("CAR1")
    car.consent("service")
    child = subprocess.Popen(
        [sys.executable, RUNNER], env=os.environ | environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    for _ in range(100):
        car.drive([0, {"Vehicle.Speed": 1}])
    car.park()
    journal = settings.journal / settings.collector_name
    while not list(journal.glob("*.arrow")):
        time.sleep(0.05)
    child.send_signal(signal.SIGTERM)
    said = child.communicate()[0]
    assert child.returncode == 0
    assert "CollectReport(" in said
    assert not list(journal.glob("*.arrow"))
    more = collect(settings, until=QUIET)
    found = rows_of(settings, "core.readings", "seq")
    assert len(found) == len({row["seq"] for row in found}) == 100
    assert more.redelivered + more.readings <= 100
