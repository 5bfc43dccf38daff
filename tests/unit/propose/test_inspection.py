"""`inspect`: what conform would decide, with the lines of what is wrong."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.errors import ConformError
from pipelines.propose import texts
from pipelines.propose.inspection import Inspection, Unreadable, inspect_file
from pipelines.settings import Settings


def inspected(tmp_path: Path, content: bytes | str, name: str = "table.csv") -> Inspection:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (found,) = inspect_file(tmp_path / name, name, Settings(home=tmp_path / "home"))
    assert isinstance(found, Inspection)
    assert [path for path in (tmp_path / "home/staging").iterdir() if path.is_file()] == []
    return found


def test_everything_about_a_small_file(tmp_path: Path) -> None:
    content = (
        "Source : Préfecture\n\n"
        "code;nom;surface;ouvert;ouvert\n"
        '01001;"L\'Abergement";15,6;oui;1\n'
        "01002;Ambérieu;1 234,5;non;0\n"
        "01004;Ambronay;;oui\n"
        "01005;Ambutrix;9;oui;1\n"
    )
    found = inspected(tmp_path, content.encode("cp1252"))
    assert (found.kind, found.encoding, found.separator, found.quote) == ("text", "cp1252", ";", '"')
    assert (found.header_line, found.preamble, found.rows) == (3, 2, 3)
    assert [column.name for column in found.columns] == ["code", "nom", "surface", "ouvert", "ouvert__2"]
    code, nom, surface, ouvert, _ = found.columns
    assert (code.judgement.type, code.distinct, code.nulls) == ("string", 3, 0)
    assert (surface.judgement.type, surface.minimum, surface.maximum) == ("number", "9.0", "1234.5")
    assert ouvert.judgement.type == "boolean"
    assert nom.examples
    assert found.key is not None
    assert found.key.columns == ("code",)
    (fault,) = found.faults
    assert (fault.what, fault.count, fault.line) == ("row_too_short", 1, 6)
    assert fault.example.startswith("01004;Ambronay")
    assert any("'ouvert' stands more than once" in note for note in found.notes)


def test_cells_that_do_not_fit_are_found_with_their_lines(tmp_path: Path) -> None:
    rows = [f"{n};{n * 2}" for n in range(1_000)]
    rows[499] = "499;douze"
    rows[700] = "700"  # refused by the reader, before the next one
    rows[900] = '900;"seize\nvingt"'
    found = inspected(tmp_path, "a;b\n" + "\n".join(rows) + "\n")
    column = found.columns[1]
    assert (column.judgement.type, column.misfits) == ("integer", 2)
    assert column.misfit_cells == ((501, "douze"), (902, "seize\nvingt"))
    assert [(fault.what, fault.line) for fault in found.faults] == [("row_too_short", 702)]


def test_lines_without_a_multi_line_cell(tmp_path: Path) -> None:
    rows = [f"{n};{n * 2}" for n in range(1_000)]
    rows[10], rows[499], rows[998] = "10", "499;douze", "998;onze"
    found = inspected(tmp_path, "a;b\n" + "\n".join(rows) + "\n")
    assert found.columns[1].misfit_cells == ((501, "douze"), (1_000, "onze"))


def test_all_rows_of_a_large_file_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "LISTED", 100)
    monkeypatch.setattr(texts, "_IN_MEMORY", 1_000)
    rows = [f"{n};{n % 7};{n % 5}" for n in range(20_000)]
    rows[12_345] = "12345;-;01"  # not among the rows that are listed
    found = inspected(tmp_path, "id;b;c\n" + "\n".join(rows) + "\n")
    assert (found.rows, found.listed) == (20_000, 100)
    _, b, c = found.columns
    assert (b.judgement.type, b.judgement.null_tokens, b.misfits) == ("integer", ("-",), 0)
    assert (c.judgement.type, c.judgement.kind) == ("string", "digits with leading zeros")
    assert found.key is not None
    assert found.key.columns == ("id",)


def test_a_pair_of_columns_is_a_key_and_rows_may_have_none(tmp_path: Path) -> None:
    rows = [f"{2000 + n // 4};{'ABCD'[n % 4]}{n // 40};{random.Random(n).random()}" for n in range(80)]
    found = inspected(tmp_path, "annee;code;valeur\n" + "\n".join(rows) + "\n")
    assert found.key is not None
    assert set(found.key.columns) == {"annee", "code"}
    assert inspected(tmp_path, "a;b\n1;2\n1;2\n").key is None
    assert inspected(tmp_path, "a;b\n1;1\n1;1\n2;2\n3;3\n").key is None


def test_damaged_text_is_a_fault(tmp_path: Path) -> None:
    found = inspected(tmp_path, "a;b\n1;caf\ufffd\n2;thé\n")
    assert [(fault.what, fault.count, fault.line) for fault in found.faults] == [("damaged_text in b", 1, 2)]


def test_the_contract_that_it_fits_is_named(tmp_path: Path) -> None:
    header = "Num_Acc;id_vehicule;num_veh;senc;catv;obs;obsm;choc;manv;motor;occutc"
    found = inspected(tmp_path, f"{header}\n201900000001;138;B01;2;7;0;2;5;23;1;\n")
    assert "accidents: core.accident_vehicles, layout from 2019" in found.fits


def test_a_header_of_values_and_a_last_row_that_is_no_row_are_said(tmp_path: Path) -> None:
    rows = "".join(f"{i:05};rue {i};{i},5\n" for i in range(20))
    notes = inspected(tmp_path, rows).notes
    assert "names of columns look like values ('00000', '0,5')" in notes[0]
    assert inspected(tmp_path, "code;nom;2024\n" + rows).notes == ()
    (total,) = inspected(tmp_path, "code;nom;prix\n" + rows + "Total;;190,0\n").notes
    assert total.startswith("line 22 looks like a total")


def test_a_member_that_is_no_table_does_not_hide_the_others(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", "a;b\n1;2\n")
        archive.writestr("page.html", "<!doctype html><p>no")
    one, other = inspect_file(tmp_path / "a.zip", "a.zip", Settings(home=tmp_path / "home"))
    assert isinstance(one, Inspection)
    assert one.rows == 1
    assert isinstance(other, Unreadable)
    assert "web page" in other.what


def test_no_table_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConformError, match="the file is empty"):
        inspected(tmp_path, b"")
    assert inspected(tmp_path, "a;b\n").rows == 0


def test_two_hundred_rows_take_less_than_a_second(tmp_path: Path) -> None:
    rows = "".join(f"{n:05};{n * 3},5;{n % 28 + 1:02}/05/2024;texte {n};oui\n" for n in range(200))
    (tmp_path / "a.csv").write_text("code;valeur;jour;nom;ouvert\n" + rows)
    command = [str(Path(sys.executable).with_name("rocade")), "inspect", str(tmp_path / "a.csv"), "--json"]
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        subprocess.run(command, check=True, capture_output=True, env={"ROCADE_HOME": str(tmp_path / "home")})
        seconds.append(time.monotonic() - started)
    assert min(seconds) < 2, "a second where nothing else runs; twice that on a busy machine"
