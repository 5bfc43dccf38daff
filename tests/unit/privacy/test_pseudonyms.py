from __future__ import annotations

import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from pipelines.errors import LakeError
from pipelines.privacy.pseudonyms import KeyDestroyed, Pseudonyms, key_at

if TYPE_CHECKING:
    from pathlib import Path

LAST_OF_JANUARY, FIRST_OF_FEBRUARY = 1_769_903_999_999, 1_769_904_000_000  # epoch ms, 2026


def test_a_name_is_the_hmac_under_the_months_key(tmp_path: Path) -> None:
    name = Pseudonyms(tmp_path).vehicle("CAR1", LAST_OF_JANUARY)
    key = (tmp_path / "2026-01.key").read_bytes()
    assert len(key) == 32
    assert name == hmac.new(key, b"vehicle:CAR1", hashlib.sha256).hexdigest()[:32]


def test_a_name_lasts_a_utc_month_and_no_longer(tmp_path: Path) -> None:
    names = Pseudonyms(tmp_path)
    january = names.vehicle("CAR1", LAST_OF_JANUARY)
    assert january == names.vehicle("CAR1", LAST_OF_JANUARY - 86_400_000)
    assert january != names.vehicle("CAR1", FIRST_OF_FEBRUARY)
    assert january == Pseudonyms(tmp_path).vehicle("CAR1", LAST_OF_JANUARY)
    assert sorted(file.name for file in tmp_path.glob("*.key")) == ["2026-01.key", "2026-02.key"]


def test_drivers_and_cars_do_not_share_names(tmp_path: Path) -> None:
    names = Pseudonyms(tmp_path)
    assert names.vehicle("A", LAST_OF_JANUARY) != names.driver("A", LAST_OF_JANUARY)
    assert names.vehicle("A", LAST_OF_JANUARY) != names.vehicle("B", LAST_OF_JANUARY)


def test_without_the_key_the_month_cannot_be_linked(tmp_path: Path) -> None:
    before = Pseudonyms(tmp_path).vehicle("CAR1", LAST_OF_JANUARY)
    (tmp_path / "2026-01.key").unlink()
    (tmp_path / "2026-01.made").unlink()  # on purpose
    assert Pseudonyms(tmp_path).vehicle("CAR1", LAST_OF_JANUARY) != before


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    Pseudonyms(folder).vehicle("CAR1", LAST_OF_JANUARY)
    assert (folder / "2026-01.key").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_all_who_ask_at_once_get_the_same_key(tmp_path: Path) -> None:
    for round_ in range(20):
        file = tmp_path / f"{round_}.key"
        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(key_at, [file] * 8))) == 1
    assert not list(tmp_path.glob(".*"))


def test_a_damaged_key_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "2026-01.key"
    file.write_bytes(b"short")
    with pytest.raises(LakeError, match="5 bytes instead of 32"):
        key_at(file)


def test_a_key_that_was_destroyed_is_not_made_anew(tmp_path: Path) -> None:
    Pseudonyms(tmp_path).vehicle("CAR1", LAST_OF_JANUARY)
    (tmp_path / "2026-01.key").unlink()
    with pytest.raises(KeyDestroyed, match=r"2026-01\.key: the key of 2026-01 was destroyed"):
        Pseudonyms(tmp_path).vehicle("CAR1", LAST_OF_JANUARY)
    assert not (tmp_path / "2026-01.key").exists()
    assert Pseudonyms(tmp_path).vehicle("CAR1", FIRST_OF_FEBRUARY)
