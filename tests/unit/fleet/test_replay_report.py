"""What a replay hands to the publisher of made-up logs, and what it tells of it."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.fleet.publish import Published
from pipelines.fleet.replay import replay
from pipelines.progress import Silent
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pipelines.fleet.batches import Message
    from pipelines.progress import Step
    from pipelines.settings import Settings

START = datetime(2026, 9, 1, 8, tzinfo=UTC)


class Paper:
    """A publisher that writes down instead of sending."""

    consents: ClassVar[dict[str, tuple[str, int]]]
    messages: ClassVar[list[Message]]

    def __init__(self, _: Settings) -> None:
        type(self).consents, type(self).messages = {}, []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def consent(self, levels: Mapping[str, tuple[str, int]]) -> None:
        assert not self.messages  # consent comes first
        self.consents.update(levels)

    def send(self, messages: Iterable[Message], *, speed: float, step: Step) -> None:
        self.messages.extend(messages)

    @property
    def published(self) -> Published:
        rows, readings = (sum(getattr(m, name) for m in self.messages) for name in ("rows", "readings"))
        return Published(len(self.messages), rows, readings, 0, 0.1, unheard=1)


@pytest.fixture(autouse=True)
def paper(monkeypatch: pytest.MonkeyPatch) -> type[Paper]:
    monkeypatch.setattr("pipelines.fleet.replay.Publisher", Paper)
    return Paper


def fms(folder: Path, name: str, lines: int) -> Path:
    file = folder / name
    rows = "".join(f"current,Vehicle.Speed,{line},{line and 1}\n" for line in range(lines))
    file.write_text("field,signal,value,delay\n" + rows, encoding="utf-8")
    return file


def obd(folder: Path, *extra: str) -> Path:
    file = folder / "obd.csv"
    lines = [f"1,51336E+12;s{car};00:00:{second:02d};{second}km/h" for car in (1, 2) for second in range(0, 60, 4)]
    file.write_text("TIME;VEHICLE_ID;ENGINE_RUNTIME;SPEED\n" + "\n".join([*lines, *extra, ""]), encoding="utf-8")
    return file


def batches() -> list[dict[str, Any]]:
    return [json.loads(message.payload) | {"vehicle": message.vehicle} for message in Paper.messages]


def test_logs_without_a_clock_follow_one_another_an_hour_apart(tmp_path: Path) -> None:
    files = [fms(tmp_path, "b.csv", 25), fms(tmp_path, "a.csv", 15)]
    report = replay(files, None, load_settings(), speed=0, start=START, progress=Silent())
    drives = [drive for file in report.files for drive in file.drives]
    assert [file.file.name for file in report.files] == ["b.csv", "a.csv"]
    assert [drive.first for drive in drives] == [START, START + timedelta(hours=1, seconds=24)]
    assert min(batch["t0"] for batch in batches()) == START.timestamp() * 1000
    assert Paper.consents == {"truck": ("service+statistics", START.timestamp() * 1000)}


def test_without_a_start_the_last_log_ends_now(tmp_path: Path) -> None:
    files = [fms(tmp_path, "b.csv", 25), fms(tmp_path, "a.csv", 15)]
    before = datetime.now(UTC)
    report = replay(files, None, load_settings(), speed=0, progress=Silent())
    end = report.files[-1].drives[-1].last
    assert before - timedelta(seconds=1) <= end <= datetime.now(UTC)
    assert "so that the last log ends now; --start names another time" in report.files[0].remarks[-1]


def test_each_car_of_a_log_has_its_consent_its_boot_and_its_seq(tmp_path: Path) -> None:
    report = replay([obd(tmp_path)], None, load_settings(), speed=0, consent="service", progress=Silent())
    firsts = {drive.vehicle: drive.first.timestamp() * 1000 for drive in report.files[0].drives}
    assert Paper.consents == {vehicle: ("service", first) for vehicle, first in firsts.items()}
    seqs: dict[tuple[str, str], list[int]] = defaultdict(list)
    for batch in batches():
        seqs[batch["vehicle"], batch["boot"]].append(batch["seq"])
    assert sorted(vehicle for vehicle, _ in seqs) == ["natal-s1", "natal-s2"]
    assert len({boot for _, boot in seqs}) == 2
    assert list(seqs.values()) == [[0, 1], [0, 1]]
    ends = [batch["t0"] + batch["rows"][-1][0] for batch in batches()]
    assert ends == sorted(ends)  # as cars that drive at the same time are heard


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["replay", *arguments, "--speed", "0"])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_report_tells_what_was_set_aside_and_why(tmp_path: Path) -> None:
    file = obd(tmp_path, "1,51336E+12;s1;;5km/h", "1,51336E+12;s1;00:01:00;5mph", "1,51336E+12;?;00:00:01;5km/h")
    text = run(str(file), "--rejects", str(tmp_path / "rejects.csv"))
    assert "obd.csv: 33 lines read = 32 published + 1 set aside" in text
    assert "set aside: 1 (line 34, such as '?') cannot be a vehicle's id" in text
    assert "left out: 1 cell (line 33, such as '5mph') SPEED: does not read as a value of its column" in text
    assert "repaired: the instant of 1, from the lines around (line 32)" in text
    assert "note: s1: from 2017-12-15 17:46:09 UTC, known to within 4 970 s" in text
    assert "nobody was subscribed to 1 of the messages" in text
    assert (tmp_path / "rejects.csv").read_text(encoding="utf-8").splitlines() == [
        "file,line,scope,column,value,reason,text",
        f'{file},34,line,VEHICLE_ID,?,cannot be a vehicle\'s id,"1,51336E+12;?;00:00:01;5km/h"',
        f'{file},33,cell,SPEED,5mph,does not read as a value of its column,"1,51336E+12;s1;00:01:00;5mph"',
    ]


def test_the_json_account_adds_up(tmp_path: Path) -> None:
    report = json.loads(run(str(obd(tmp_path, "1,51336E+12;?;00:00:01;5km/h")), "--json"))
    (file,) = report["files"]
    assert file["lines"] == file["rows"] + sum(file["set_aside"].values()) == 31
    assert file["set_aside"] == {"cannot be a vehicle's id": 1}
    assert file["rows"] == sum(drive["rows"] for drive in file["drives"]) == report["published"]["rows"]
    assert report["vehicles"] == ["natal-s1", "natal-s2"]
    assert report["layout"] == "obd_drivers"


def test_rejects_wait_in_a_private_folder_where_nobody_says_otherwise(tmp_path: Path) -> None:
    file = obd(tmp_path, "1,51336E+12;?;00:00:01;5km/h")
    run(str(file))
    (kept,) = (load_settings().root / "replay").iterdir()
    assert kept.name == "obd.csv.rejects.csv"
    assert ",32,line,VEHICLE_ID,?," in kept.read_text(encoding="utf-8")
    assert kept.parent.stat().st_mode & 0o077 == 0


def test_an_identity_is_not_even_in_the_file_of_rejects(tmp_path: Path) -> None:
    file = fms(tmp_path, "truck.csv", 3)
    with file.open("a", encoding="utf-8") as handle:
        handle.write("current,Vehicle.VehicleIdentification.VIN,SECRET,0\ncurrent,Vehicle.Speed,fast,0\n")
    shown = run(str(file), "--json", "--rejects", str(tmp_path / "rejects.csv"))
    kept = (tmp_path / "rejects.csv").read_text(encoding="utf-8")
    assert "SECRET" not in shown + kept
    assert kept.splitlines()[1] == (
        f"{file},5,line,signal,Vehicle.VehicleIdentification.VIN,is an identity and not sent,"
    )
    assert kept.splitlines()[2].endswith('"current,Vehicle.Speed,fast,0"')
