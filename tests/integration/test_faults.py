"""What a fleet's collector has to survive, each with counts: what was sent is in the lake or in quarantine, once.

The short form of each runs with all other tests; `-m faults` runs the long one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
from test_collector import QUIET, Car, now, rows_of, running

from pipelines.collect import Collector, CollectReport, Until, Workers, collect, landing
from pipelines.collect.journal import Journal
from pipelines.collect.status import collectors
from pipelines.errors import CollectError, LakeError, RocadeError
from pipelines.lake.store import Lake
from pipelines.privacy.consent import ConsentLedger
from pipelines.progress import Silent
from pipelines.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Mosquitto

pytestmark = pytest.mark.mosquitto

ROOT = Path(__file__).parents[2]
SMALL: dict[str, Any] = {"batch_messages": 200, "receive_maximum": 1000, "batch_seconds": 0.05, "land_seconds": 0.3}


def lengths(short: Any, long: Any) -> Any:
    return pytest.mark.parametrize(
        "amount", [pytest.param(short, id="short"), pytest.param(long, id="long", marks=pytest.mark.faults)]
    )


class Notes(Silent):
    """Keeps what an operator is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)

    def wait_for(self, words: str, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not any(words in each for each in self.said):
            assert time.monotonic() < end, f"nobody said {words!r}: {self.said}"
            time.sleep(0.05)


class Fleet:
    """Cars that drive on a thread, with a poison message now and then, and know what they sent."""

    def __init__(self, broker: Any, cars: int = 4, pause_s: float = 0.0) -> None:
        self.cars = [Car(broker, f"CAR{number}") for number in range(cars)]
        self.sent = self.poison = 0
        self._pause_s, self._end = pause_s, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        for car in self.cars:
            car.consent("service")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        for car in self.cars:
            car.park()

    def _run(self) -> None:
        while not self._end.is_set():
            car = self.cars[self.sent % len(self.cars)]
            car.drive([0, {"Vehicle.Speed": self.sent % 100, "Vehicle.IsMoving": True}])
            self.sent += 1
            if self.sent % 300 == 0:
                car.say("telemetry", b"poison %d" % self.sent)
                self.poison += 1
            if self._pause_s or self.sent % 50 == 0:
                time.sleep(self._pause_s or 0.01)


def assert_nothing_lost_nothing_twice(settings: Settings, fleet: Fleet) -> None:
    (found,) = rows_of(
        settings,
        "core.readings",
        "count(*) AS rows, count(DISTINCT (boot, seq)) AS messages, count(DISTINCT (boot, seq, signal)) AS readings",
    )
    assert found == {"rows": 2 * fleet.sent, "messages": fleet.sent, "readings": 2 * fleet.sent}
    waiting = rows_of(settings, "quarantine.messages", "payload")
    assert len({row["payload"] for row in waiting}) == len(waiting) == fleet.poison


@contextmanager
def workers(settings: Settings, count: int, progress: Any = None, until: Until | None = None) -> Iterator[Any]:
    reports: list[CollectReport] = []
    made = Workers(settings, count, until=until or Until(idle_s=3), progress=progress)
    thread = threading.Thread(target=lambda: reports.append(made.run()))
    thread.start()
    made.reports = reports  # type: ignore[attr-defined] # filled when it has ended
    try:
        assert made.ready.wait(60)
        yield made
    finally:
        thread.join(120)
    assert reports


@pytest.fixture
def settings_for(tmp_path: Path) -> Callable[..., Settings]:
    def make(url: str, **more: Any) -> Settings:
        return load_settings(home=tmp_path / "home", mqtt_url=url, **(SMALL | more))

    return make


def environment(settings: Settings) -> dict[str, str]:
    return os.environ | {
        **{f"ROCADE_{key.upper()}": str(value) for key, value in SMALL.items()},
        "ROCADE_HOME": str(settings.home),
        "ROCADE_MQTT_URL": settings.mqtt_url,
        "PYTHONPATH": str(ROOT),
    }


def life_of(settings: Settings, worker: Any) -> dict[str, Any] | None:
    """What the present process of a worker has counted, once it has received something."""
    process = worker.process
    for each in collectors(settings):
        if each.name == worker.name and each.figures.get("pid") == process.pid and each.figures["received"]:
            return each.figures
    return None


def wait_for_life(settings: Settings, worker: Any, seconds: float = 60) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while (figures := life_of(settings, worker)) is None or worker.process.poll() is not None:
        assert time.monotonic() < end, f"{worker.name} has received nothing"
        time.sleep(0.02)
    return figures


@lengths(3, 50)
@pytest.mark.timeout(1800)
def test_a_worker_that_is_killed_under_load_is_back_and_nothing_is_lost_or_doubled(
    mosquitto: Mosquitto, settings_for: Any, amount: int
) -> None:
    settings = settings_for(mosquitto.url)
    chance = random.Random(amount)
    caught = 0
    with workers(settings, 2, until=Until(idle_s=15)) as made, Fleet(mosquitto, pause_s=0.001) as fleet:
        for _ in range(amount):
            victim = chance.choice(made._workers)  # noqa: SLF001 - what an operator would see in ps
            wait_for_life(settings, victim)
            time.sleep(chance.uniform(0, 1))
            victim.delay_s = 1.0  # or fifty kills would take an hour
            killed = victim.process
            assert killed.poll() is None
            killed.send_signal(signal.SIGKILL)
            assert killed.wait() == -signal.SIGKILL
            end = time.monotonic() + 60
            while victim.process is killed:
                assert time.monotonic() < end, f"{victim.name} is not started again"
                time.sleep(0.02)
            # What the broker sends a second time, the dead one had received and not acknowledged.
            caught += wait_for_life(settings, victim)["redelivered"] > 0
    print(f"{amount} kills, {caught} with messages under way; {fleet.sent} sent, {fleet.poison} poison")  # noqa: T201
    assert caught >= amount // 2
    assert_nothing_lost_nothing_twice(settings, fleet)


@lengths(2, 20)
def test_all_processes_killed_at_once(mosquitto: Mosquitto, settings_for: Any, amount: int) -> None:
    settings = settings_for(mosquitto.url)
    chance = random.Random(amount)
    command = [sys.executable, "-m", "pipelines.cli", "collect", "--workers", "2", "--json"]
    with workers(settings, 2, until=Until(idle_s=0.5)):
        pass
    with Fleet(mosquitto) as fleet:
        for _ in range(amount):
            child = subprocess.Popen(command, env=environment(settings), cwd=ROOT, stdout=subprocess.DEVNULL)
            end = time.monotonic() + 60
            while sum(each.state == "up" for each in collectors(settings)) < 3:
                assert time.monotonic() < end
                time.sleep(0.05)
            time.sleep(chance.uniform(0, 1.5))
            pids = [each.figures["pid"] for each in collectors(settings)]
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            child.wait()
    with workers(settings, 2):
        pass
    assert_nothing_lost_nothing_twice(settings, fleet)


def test_what_a_car_sends_again_lands_once_whichever_worker_gets_it(mosquitto: Mosquitto, settings_for: Any) -> None:
    settings = settings_for(mosquitto.url)
    with workers(settings, 2) as made:
        car = Car(mosquitto, "CAR1")
        car.consent("service")
        for _ in range(3):
            car.seq = 0
            for _ in range(100):  # and one more, an odd number: each goes to the other worker the next time
                car.drive([0, {"Vehicle.Speed": 1}])
            car.say("telemetry", b"poison")
        car.park()
    assert len(rows_of(settings, "core.readings")) == 100
    assert len(rows_of(settings, "quarantine.messages")) == 1
    assert made.reports[0].messages >= 303
    assert made.reports[0].duplicates < 202  # else each worker had what it knew itself


def test_a_withdrawal_reaches_every_worker(mosquitto: Mosquitto, settings_for: Any) -> None:
    settings = settings_for(mosquitto.url)
    start = now() - 60_000
    with workers(settings, 2):
        car = Car(mosquitto, "CAR1")
        car.consent("service", ts=start)
        for second in range(20):
            car.drive([0, {"Vehicle.Speed": second}], t0=start + second * 1000)
        car.consent("silent", ts=start + 20_000)
        for second in range(20, 40):
            car.drive([0, {"Vehicle.Speed": second}], t0=start + second * 1000)
        car.park()
    assert sorted(row["value"] for row in rows_of(settings, "core.readings")) == list(range(20))


def test_fewer_workers_take_what_the_others_leave(mosquitto: Mosquitto, settings_for: Any) -> None:
    settings = settings_for(mosquitto.url)
    with workers(settings, 3, until=Until(idle_s=0.5)):
        pass
    with Fleet(mosquitto) as fleet:
        time.sleep(1)
    notes = Notes()
    with workers(settings, 2, notes, until=Until(idle_s=6)):
        pass
    assert_nothing_lost_nothing_twice(settings, fleet)
    assert {each.name for each in collectors(settings)} == {"collector-1", "collector-1-1", "collector-1-2"}
    with workers(settings, 2, until=Until(idle_s=2)), Fleet(mosquitto) as second:
        time.sleep(1)
    assert len(rows_of(settings, "core.readings")) == 2 * (fleet.sent + second.sent)


def test_an_error_that_all_workers_share_ends_them_all(settings_for: Any) -> None:
    made = Workers(settings_for("mqtt://127.0.0.1:9"), 2)
    with pytest.raises(CollectError, match="cannot be reached"):
        made.run()


def test_a_dead_worker_is_reported(mosquitto: Mosquitto, settings_for: Any) -> None:
    settings = settings_for(mosquitto.url)
    with workers(settings, 2, until=Until(idle_s=0.5)):
        pass
    assert {each.state for each in collectors(settings)} == {"stopped"}
    file = settings.root / "status" / "collector-1-2.json"
    figures = json.loads(file.read_text())
    file.write_text(json.dumps(figures | {"ended": False, "at": time.time() - 60}))
    (dead,) = [each for each in collectors(settings) if each.name == "collector-1-2"]
    assert dead.state == "down"
    assert "wait at the broker under its id" in str(dead.hint)


@lengths(2, 10)
def test_a_broker_that_restarts_and_remembers(mosquitto: Mosquitto, settings_for: Any, amount: int) -> None:
    settings = settings_for(mosquitto.url)
    with running(settings, Until(idle_s=8)), Fleet(mosquitto) as fleet:
        for _ in range(amount):
            time.sleep(1)
            mosquitto.stop()
            time.sleep(0.5)
            mosquitto.start()
        time.sleep(3)
    assert_nothing_lost_nothing_twice(settings, fleet)


def test_a_broker_that_restarts_and_has_forgotten(
    mosquitto_with: Callable[[str], Mosquitto], settings_for: Any
) -> None:
    broker = mosquitto_with("allow_anonymous true\npersistence_file gone.db")
    settings = settings_for(broker.url)
    notes = Notes()
    with running(settings, Until(idle_s=8), notes):
        car = Car(broker, "CAR1")
        car.consent("service")
        for _ in range(500):
            car.drive([0, {"Vehicle.Speed": 1}])
        broker.stop()
        (broker.folder / "gone.db").unlink()
        broker.start()
        notes.wait_for("is back")
        again = Car(broker, "CAR1")
        again.boot = car.boot
        again.consent("service")
        for _ in range(2):  # the car's own buffer: it sends all of it again
            again.seq = 0
            for _ in range(500):
                again.drive([0, {"Vehicle.Speed": 1}])
        again.park()
        car._client.loop_stop()  # noqa: SLF001 - what it had sent before is of no account
    notes.wait_for("has forgotten our session")
    found = rows_of(settings, "core.readings", "boot, seq")
    assert len(found) == len({(row["boot"], row["seq"]) for row in found}) == 500


class Proxy:
    """A network between a client and the broker that can be cut: what is under way is neither lost nor answered."""

    def __init__(self, port: int) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"mqtt://127.0.0.1:{self._server.getsockname()[1]}"
        self._port, self._through = port, threading.Event()
        self._through.set()
        self._lines: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._through.clear()

    def mend(self) -> None:
        for line in self._lines:
            line.close()
        self._lines.clear()
        self._through.set()

    def close(self) -> None:
        self._server.close()
        self.mend()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._through.wait()
            broker = socket.create_connection(("127.0.0.1", self._port))
            self._lines += [client, broker]
            for one, other in ((client, broker), (broker, client)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                self._through.wait()
                other.sendall(data)
        except OSError:
            pass
        for line in (one, other):
            line.close()


@lengths(3, 60)
def test_a_network_that_is_cut(mosquitto: Mosquitto, settings_for: Any, amount: int) -> None:
    proxy = Proxy(mosquitto.port)
    settings = settings_for(proxy.url)
    with running(settings, Until(idle_s=amount + 8)), Fleet(mosquitto, pause_s=0.002) as fleet:
        time.sleep(1)
        proxy.cut()
        time.sleep(amount)
        proxy.mend()
        time.sleep(2)
    proxy.close()
    assert_nothing_lost_nothing_twice(settings, fleet)


@lengths(3, 30)
def test_a_full_disk_is_waited_for(
    mosquitto: Mosquitto, settings_for: Any, amount: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(mosquitto.url)
    notes, full = Notes(), threading.Event()
    write = Journal.append

    def append(journal: Journal, number: int, *tables: Any) -> None:
        if full.is_set():
            raise CollectError("the journal cannot be written: No space left on device", where=str(journal.folder))
        write(journal, number, *tables)

    monkeypatch.setattr(Journal, "append", append)
    with running(settings, Until(idle_s=amount + 5), notes), Fleet(mosquitto) as fleet:
        time.sleep(1)
        full.set()
        notes.wait_for("nothing is acknowledged")
        time.sleep(1.2)  # the status is written every second
        (status,) = collectors(settings)
        assert status.state == "disk full"
        stuck = status.figures["acknowledged"]
        time.sleep(amount)
        (status,) = collectors(settings)
        assert status.figures["acknowledged"] == stuck
        full.clear()
        notes.wait_for("takes it again")
    assert_nothing_lost_nothing_twice(settings, fleet)


class SmallDisk:
    """A file system of its own of ``size`` MB, which can be filled to the last byte."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}m", "rocade-test", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting a small disk is not permitted here")
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep_full)

    def fill(self) -> None:
        """Leave no room, nor any that is made while we last."""
        self._thread.start()

    def free(self) -> None:
        """Give all of it back."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join()
        (self.folder / "ballast").unlink(missing_ok=True)

    def close(self) -> None:
        """Take it away."""
        self.free()
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)  # a client's lock file may be open still

    def _keep_full(self) -> None:
        block = 65_536
        with (self.folder / "ballast").open("ab", buffering=0) as ballast:
            while not self._end.is_set():
                try:
                    ballast.write(b"\0" * block)
                except OSError:
                    block = max(block // 2, 1)
                    if block == 1:
                        time.sleep(0.01)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path / "home", 64)
    yield disk
    disk.close()


@pytest.mark.faults
def test_a_disk_that_is_really_full_is_waited_for(
    small_disk: SmallDisk, mosquitto: Mosquitto, settings_for: Any
) -> None:
    amount = 30
    settings = settings_for(mosquitto.url)
    notes = Notes()
    with running(settings, Until(idle_s=amount + 5), notes), Fleet(mosquitto, pause_s=0.002) as fleet:
        time.sleep(1)
        small_disk.fill()
        notes.wait_for("nothing is acknowledged")
        time.sleep(amount)  # longer than a status counts as fresh
        (status,) = collectors(settings)
        assert status.state == "disk full"
        small_disk.free()
        notes.wait_for("takes it again")
    assert_nothing_lost_nothing_twice(settings, fleet)
    assert not list(settings.root.rglob("*.tmp"))


def test_a_full_disk_leaves_no_half_line_in_the_ledger(
    small_disk: SmallDisk, mosquitto: Mosquitto, settings_for: Any
) -> None:
    settings = settings_for(mosquitto.url)
    notes = Notes()
    known = Car(mosquitto, "KNOWN")
    with running(settings, Until(idle_s=4), notes):
        known.consent("service")
        known.drive([0, {"Vehicle.Speed": 1}])
        time.sleep(2)
        small_disk.fill()
        time.sleep(1)
        cars = [Car(mosquitto, f"CAR{number}") for number in range(40)]  # more than the ledger's last block takes
        for car in cars:
            car.say("consent", b'{"consent": "service"}', retain=True)
        notes.wait_for("nothing is acknowledged")
        time.sleep(2)
        small_disk.free()
        notes.wait_for("takes it again")
        for car in cars:
            car.drive([0, {"Vehicle.Speed": 2}])
    assert len(rows_of(settings, "core.readings")) == 41
    with running(settings):  # which reads the ledger
        known.drive([0, {"Vehicle.Speed": 3}])
    for car in (known, *cars):
        car.park()
    assert len(rows_of(settings, "core.readings")) == 42


@pytest.mark.parametrize("what", ["journal", "ledger"])
def test_a_collector_can_be_stopped_while_its_disk_is_full(
    mosquitto: Mosquitto, settings_for: Any, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(mosquitto.url)
    notes, errors, full = Notes(), [], threading.Event()
    append, flush = Journal.append, ConsentLedger.flush

    def no_append(journal: Journal, number: int, *tables: Any) -> None:
        if full.is_set() and what == "journal":
            raise CollectError("the journal cannot be written: No space left on device", where=str(journal.folder))
        append(journal, number, *tables)

    def no_flush(ledger: ConsentLedger) -> None:
        if full.is_set() and what == "ledger":
            raise LakeError("the consent ledger cannot be written: No space left on device", where="consent.jsonl")
        flush(ledger)

    def run() -> None:
        try:
            collector.run()
        except RocadeError as error:
            errors.append(error)

    monkeypatch.setattr(Journal, "append", no_append)
    monkeypatch.setattr(ConsentLedger, "flush", no_flush)
    monkeypatch.setattr("pipelines.collect.collector._PATIENCE_S", 1.0)
    collector = Collector(settings, progress=notes)
    thread = threading.Thread(target=run)
    thread.start()
    assert collector.ready.wait(20)
    with Fleet(mosquitto) as fleet:
        time.sleep(1)
        full.set()
        notes.wait_for("nothing is acknowledged")
        time.sleep(2)
        collector.stop()
        thread.join(15)
        assert not thread.is_alive()
        (error,) = errors
        assert "No space left" in str(error)
    full.clear()
    collect(settings, until=QUIET)
    assert_nothing_lost_nothing_twice(settings, fleet)


@pytest.mark.parametrize(
    ("table", "step"),
    [
        *((name, step) for name in ("core.readings", "quarantine.messages") for step in ("before", "after")),
        ("core.readings", "file"),
        ("core.readings", "sync"),
    ],
)
def test_a_commit_that_fails(
    mosquitto: Mosquitto, settings_for: Any, table: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(mosquitto.url)
    notes, failures = Notes(), iter(range(3))
    publish, write, sync = Lake.publish, landing._write, landing.sync_file  # noqa: SLF001 - what a disk does to it

    def failing(lake: Lake, name: str, *more: Any, **named: Any) -> int:
        fails = name == table and step in ("before", "after") and next(failures, None) is not None
        if fails and step == "before":
            raise LakeError("could not commit: no", where=name)
        version = publish(lake, name, *more, **named)
        if fails:
            raise LakeError("could not commit: it has, but nobody was told", where=name)
        return version

    def half_written(name: str, rows: Any, file: Path) -> None:
        if step == "file" and name == table and next(failures, None) is not None:
            file.write_bytes(b"PAR1")
            raise OSError(errno.EIO, "Input/output error", str(file))
        write(name, rows, file)

    def not_synced(path: Path) -> None:
        # core.readings is a folder in a folder of the lake
        if step == "sync" and table.replace(".", "/") in path.as_posix() and next(failures, None) is not None:
            raise OSError(errno.EIO, "Input/output error", str(path))
        sync(path)

    monkeypatch.setattr(Lake, "publish", failing)
    monkeypatch.setattr(landing, "_write", half_written)
    monkeypatch.setattr(landing, "sync_file", not_synced)
    with running(settings, Until(idle_s=4), notes), Fleet(mosquitto) as fleet:
        notes.wait_for("the lake takes nothing now")
        notes.wait_for("the lake takes it again")
    assert next(failures, None) is None
    assert_nothing_lost_nothing_twice(settings, fleet)


def test_a_segment_that_cannot_be_deleted(
    mosquitto: Mosquitto, settings_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(mosquitto.url)
    notes, failures = Notes(), iter(range(3))
    delete = Journal.delete

    def failing(journal: Journal, number: int) -> None:
        if next(failures, None) is not None:
            raise OSError(errno.EIO, "Input/output error")
        delete(journal, number)

    monkeypatch.setattr(Journal, "delete", failing)
    with running(settings, Until(idle_s=4), notes), Fleet(mosquitto) as fleet:
        notes.wait_for("the lake takes nothing now")
        notes.wait_for("the lake takes it again")
    assert_nothing_lost_nothing_twice(settings, fleet)


def test_a_message_of_50_mb_waits_in_quarantine_and_those_behind_it_arrive(
    mosquitto: Mosquitto, settings_for: Any
) -> None:
    settings = settings_for(mosquitto.url)
    payload = random.Random(50).randbytes(50_000_000)
    with running(settings, Until(idle_s=8)) as reports:
        car = Car(mosquitto, "CAR1")
        car.consent("service")
        for _ in range(100):
            car.drive([0, {"Vehicle.Speed": 1}])
        car.say("telemetry", payload)
        for _ in range(100):
            car.drive([0, {"Vehicle.Speed": 2}])
        car.park()
    assert reports[0].redelivered == 0
    assert sorted(row["value"] for row in rows_of(settings, "core.readings")) == [1] * 100 + [2] * 100
    (waiting,) = rows_of(settings, "quarantine.messages")
    assert waiting["reason"] == "too_large"
    assert b"50000000 bytes, sha256 " + hashlib.sha256(payload).hexdigest().encode() in waiting["payload"]
    assert waiting["payload"].startswith(payload[:1000])
    assert len(waiting["payload"]) < 2000


def test_a_car_whose_clock_says_1970_is_set_aside_until_it_is_right(mosquitto: Mosquitto, settings_for: Any) -> None:
    settings = settings_for(mosquitto.url)
    with running(settings, Until(idle_s=3)):
        wrong, right = Car(mosquitto, "WRONG"), Car(mosquitto, "RIGHT")
        for car in (wrong, right):
            car.consent("service")
        for second in range(100):
            wrong.drive([0, {"Vehicle.Speed": second}], t0=1 + 1000 * second)
            right.drive([0, {"Vehicle.Speed": second}])
        for second in range(100, 110):
            wrong.drive([0, {"Vehicle.Speed": second}])
        for car in (wrong, right):
            car.park()
    values = sorted(row["value"] for row in rows_of(settings, "core.readings"))
    assert values == sorted([*range(100), *range(100, 110)])
    waiting = rows_of(settings, "quarantine.messages")
    assert [row["reason"] for row in waiting] == ["clock_past"] * 100
    assert {row["day"].year for row in waiting} == {time.gmtime().tm_year}


def test_the_same_batch_three_times(mosquitto: Mosquitto, settings_for: Any) -> None:
    settings = settings_for(mosquitto.url)
    with running(settings) as reports:
        car = Car(mosquitto, "CAR1")
        car.consent("service")
        batch = {"vss": "6.0", "boot": str(uuid.uuid4()), "seq": 7, "t0": now(), "rows": [[0, {"Vehicle.Speed": 42}]]}
        for _ in range(3):
            car.say("telemetry", json.dumps(batch))
        car.park()
    assert reports[0].duplicates == 2
    assert len(rows_of(settings, "core.readings")) == 1


def test_mqtt_3_1_1(mosquitto: Mosquitto, settings_for: Any) -> None:
    settings = settings_for(mosquitto.url, mqtt_version="3.1.1")
    with running(settings, Until(idle_s=4)), Fleet(mosquitto) as fleet:
        time.sleep(1)
        mosquitto.stop()
        mosquitto.start()
        time.sleep(2)
    assert_nothing_lost_nothing_twice(settings, fleet)
    assert collect(settings, until=QUIET).readings == 0
