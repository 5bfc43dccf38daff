"""The command line: answers at once, exit codes, errors in three lines, JSON for scripts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines import __version__, cli
from pipelines.demo.mirror import Mirror
from pipelines.demo.samples import write_accident_samples

HEADER = "Num_Acc;jour;mois;an;hrmn;lum;dep;com;agg;int;atm;col;adr;lat;long"
ROW = '201900000001;20;9;2019;12:25;1;13;13063;2;2;1;3;RUE;"43,59";"5,00"'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROCADE_HOME", str(tmp_path / "home"))
    return tmp_path


def rocade(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *arguments], capture_output=True, text=True, check=False
    )


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['rocade', '--help']\n"
        "from pipelines.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'pyarrow', 'duckdb', 'deltalake', 'pandas', 'great_expectations', 'pydantic', 'requests', 'paho', 'airflow'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout


def test_every_command_has_help_and_stands_in_the_reference() -> None:
    reference = (Path(__file__).parents[2] / "docs/reference/cli.md").read_text(encoding="utf-8")
    for command in cli.app.registered_commands:
        name = command.callback.__name__ if command.callback else ""
        assert command.callback is not None
        assert command.callback.__doc__, name
        assert f"## rocade {name}\n" in reference, name


def test_help_groups_the_commands_by_what_they_are_about() -> None:
    shown = CliRunner().invoke(cli.app, ["--help"]).output
    found = re.findall(r"─ ([A-Z][\w ]+) ─", shown)
    assert found == [
        "Options",
        "Open data",
        "Any other dataset",
        "Tables",
        "What was published before",
        "Telemetry",
        "Tools",
    ]
    assert all(command.rich_help_panel in found for command in cli.app.registered_commands)


def test_version() -> None:
    assert CliRunner().invoke(cli.app, ["--version"]).output.strip() == f"rocade {__version__}"


def test_ingest_publishes_then_says_nothing_new(home: Path) -> None:
    (home / "caract-2019.csv").write_text(f"{HEADER}\n{ROW}\n", encoding="utf-8")
    first = rocade("ingest", "accidents", "-r", "caract-2019.csv", "--json")
    assert first.returncode == 0, first.stderr
    (outcome,) = json.loads(first.stdout)
    assert (outcome["status"], outcome["table"], outcome["published"]) == ("published", "core.accidents", 1)
    again = rocade("ingest", "accidents", "-r", "caract-2019.csv")
    assert again.returncode == 0
    assert "nothing new" in again.stdout
    answer = rocade("sql", "SELECT accident_id, department FROM core.accidents", "--format", "csv")
    assert answer.stdout == "accident_id,department\n201900000001,13\n"
    history = json.loads(rocade("history", "core.accidents", "--json").stdout)
    assert history[0]["resource"] == "caract-2019.csv"


def test_a_refused_file_exits_with_5_and_waits_in_quarantine(home: Path) -> None:
    (home / "caract-2019.csv").write_text(f"{HEADER}\n{ROW.replace(';9;', ';13;', 1)}\n", encoding="utf-8")
    done = rocade("ingest", "accidents", "-r", "caract-2019.csv")
    assert done.returncode == 5
    assert "line 2, column an, mois, jour, value '2019 / 13 / 20'" in done.stdout
    (reason,) = json.loads(rocade("quarantine", "--json").stdout)
    assert (reason["table"], reason["reason"], reason["rows"]) == ("core.accidents", "does_not_cast", 1)


def test_square_brackets_in_names_and_cells_are_no_markup(home: Path) -> None:
    bad = ROW.replace(";9;", ";[/red];", 1)
    (home / "caract-2019 [1].csv").write_text(f"{HEADER}\n{bad}\n", encoding="utf-8")
    done = rocade("ingest", "accidents", "-r", "caract-2019 [1].csv")
    assert done.returncode == 5, done.stderr
    assert "caract-2019 [1].csv" in done.stdout
    assert "value '2019 / [/red] / 20'" in done.stdout
    assert "[/red]" in rocade("quarantine", "--rows", "1").stdout


def test_figures_are_whole_on_a_narrow_terminal(home: Path) -> None:
    (home / "caracteristiques-2019.csv").write_text(f"{HEADER}\n{ROW}\n", encoding="utf-8")
    code = (
        "import os, pty, sys\n"
        "sys.exit(os.waitstatus_to_exitcode(pty.spawn([sys.executable, '-m', 'pipelines.cli', *sys.argv[1:]])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "ingest", "accidents", "-r", "caracteristiques-2019.csv"],
        capture_output=True,
        env=os.environ | {"COLUMNS": "80", "TERM": "xterm"},
        check=False,
    )
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", done.stdout.decode())
    assert done.returncode == 0, text
    assert re.search(r"resource +table +status +rows +published +rejected", text), text
    assert "caracteristiques-2019.csv" in text  # the bars say it whole


def test_strict_makes_tolerated_rejects_tell(home: Path) -> None:
    rows = [ROW.replace("00000001", f"{number:08}", 1) for number in range(200)]
    bad = ROW.replace("00000001", "00000999", 1).replace(";9;", ";13;", 1)
    (home / "caract-2019.csv").write_text("\n".join([HEADER, *rows, bad]) + "\n", encoding="utf-8")
    assert rocade("ingest", "accidents", "-r", "caract-2019.csv", "--strict").returncode == 3
    assert rocade("ingest", "accidents", "-r", "caract-2019.csv").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["ingest", "nothing"], 2, "no contract 'nothing'"),
        (["ingest", "accidents", "-r", "absent.csv"], 4, "absent.csv"),
        (["history", "core.nothing"], 1, "no table core.nothing"),
        (["history", "nothing"], 1, "not a table name"),
        (["sql", "SELEKT 1"], 1, "SELEKT"),
        (["sql", "SELECT * FROM core.nothing"], 1, "core.nothing"),
        (["build", "big.nothing"], 1, "big.nothing"),
    ],
)
@pytest.mark.usefixtures("home")
def test_errors_say_what_and_exit_with_their_code(arguments: list[str], code: int, says: str) -> None:
    done = rocade(*arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("home")
def test_errors_are_json_for_scripts() -> None:
    done = rocade("ingest", "nothing", "--json")
    assert json.loads(done.stdout)["error"]["what"] == "there is no contract 'nothing'"


@pytest.mark.parametrize("arguments", [["ingest"], ["search", "--limit", "0"], ["nothing"]])
def test_wrong_arguments_are_json_for_scripts_too(arguments: list[str]) -> None:
    done = rocade(*arguments, "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["what"] == "the arguments are wrong"


def test_a_wrong_setting_names_itself(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROCADE_HTTP_RETRIES", "many")
    done = rocade("tables")
    assert done.returncode == 2
    assert "ROCADE_HTTP_RETRIES" in done.stderr
    monkeypatch.delenv("ROCADE_HTTP_RETRIES")
    (home / "rocade.toml").write_text('colour = "red"\n', encoding="utf-8")
    done = rocade("tables")
    assert done.returncode == 2
    assert "colour" in done.stderr


@pytest.mark.usefixtures("home")
def test_an_empty_home_is_no_error() -> None:
    assert "no table yet" in rocade("tables").stdout
    assert "quarantine is empty" in rocade("quarantine").stdout
    assert json.loads(rocade("tables", "--json").stdout) == []
    assert rocade("doctor").returncode == 0


def test_a_home_that_cannot_be_written_to_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("", encoding="utf-8")
    (home / "caract-2019.csv").write_text(f"{HEADER}\n{ROW}\n", encoding="utf-8")
    monkeypatch.setenv("ROCADE_HOME", str(home / "file" / "home"))
    for arguments in (["ingest", "accidents", "-r", "caract-2019.csv"], ["build"], ["sql", "SELECT 1"]):
        done = rocade(*arguments)
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        assert str(home / "file") in done.stderr + done.stdout
    assert rocade("doctor").returncode == 1


@pytest.mark.usefixtures("home")
def test_an_interrupt_that_a_library_swallows_is_told_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipelines import cli

    def swallowing() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        raise SystemExit(0)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(cli, "app", swallowing)
    try:
        with pytest.raises(SystemExit) as left:
            cli.main()
    finally:
        signal.signal(signal.SIGINT, before)
    assert left.value.code == 130
    assert "interrupted" in capsys.readouterr().err


def test_an_interrupt_says_that_nothing_is_lost(home: Path) -> None:
    site = write_accident_samples(home / "site", accidents_per_year=100, years=range(2015, 2022))
    with Mirror(site) as mirror:
        environment = os.environ | {"ROCADE_DATAGOUV_URL": mirror.url}
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", "ingest", "accidents"],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not list((home / "home").glob("lake/core/*/_delta_log")):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "run the same command to go on" in said
        assert "Traceback" not in said
        done = subprocess.run(
            [sys.executable, "-m", "pipelines.cli", "ingest", "accidents", "--json"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert {outcome["status"] for outcome in json.loads(done.stdout)} <= {"published", "unchanged"}


@pytest.mark.usefixtures("home")
def test_what_json_cannot_say_is_null() -> None:
    answer = rocade("sql", "SELECT 'NaN'::DOUBLE AS a, ['inf'::DOUBLE, 1.5] AS b", "-f", "json")
    assert json.loads(answer.stdout) == [{"a": None, "b": [None, 1.5]}]


@pytest.mark.usefixtures("home")
def test_sql_formats_and_standard_input() -> None:
    query = "SELECT 1 AS a, 'é' AS b, NULL AS c"
    assert rocade("sql", query, "--format", "csv").stdout == "a,b,c\n1,é,\n"
    assert json.loads(rocade("sql", query, "--format", "json").stdout) == [{"a": 1, "b": "é", "c": None}]
    assert "NULL" in rocade("sql", query).stdout
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "sql", "-", "-f", "csv"],
        input=query,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("a,b,c\n")
