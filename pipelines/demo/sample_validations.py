"""Generated files in the shape of the ticket validations on the railways of Île-de-France, in two of their layouts.

An older half-year: names in capitals, tabs, Windows-1252, day first. A recent quarter: names in small letters, semicolons,
ISO dates, numbers of stop areas as ``71379.0`` or ``ND``. Both: counts under five as words, kinds of ticket as ``?``,
shares with a decimal comma in the older profiles. One count of the recent file is broken on purpose.
"""

# ruff: noqa: PLR2004 - shares are the content here

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING

from pipelines.demo.sample_files import SampleDataset, SampleFile, table_bytes, write_dataset
from pipelines.demo.samples import BrokenRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VALIDATIONS = SampleDataset(
    "historique-des-donnees-de-validation-sur-le-reseau-ferre-2015-2024",
    "historique-des-donnees-de-validation-sur-le-reseau-ferre-2015-2024",
    "shaped like the ticket validations on the railways of Île-de-France",
    "notspecified",
    "quarterly",
)
OLD_COUNTS, OLD_PROFILES = "2019_S1_NB_FER.txt", "2019_S1_PROFIL_FER.txt"
NEW_COUNTS = "2024_T4_nombre-validations-par-jour.csv"
NEW_PROFILES = "2024_T4_profils-horaires-par-jour-type.csv"
_OLD_DAY, _NEW_DAY = date(2019, 1, 1), date(2024, 10, 1)
_STOPS = tuple((f"{110 + n % 3}", f"{60 + n}", f"GARE MODÈLE {n + 1}", 71_000 + 13 * n) for n in range(12))
_TICKETS = ("NAVIGO", "IMAGINE R", "TST", "AMETHYSTE", "AUTRE TITRE", "?")
_SHARES = (0.58, 0.2, 0.08, 0.03, 0.1, 0.01)
_DAY_TYPES = ("JOHV", "SAHV", "JOVS", "SAVS", "DIJFP")
_COLUMNS = ("CODE_STIF_TRNS", "CODE_STIF_RES", "CODE_STIF_ARRET", "LIBELLE_ARRET")


def write_rail_validation_samples(folder: Path, *, seed: int = 1, days: int = 28) -> Path:
    """Write counts and profiles of two periods into ``folder``; equal arguments give equal bytes.

    Args:
        folder: made when absent.
        seed: another one, other figures.
        days: of each period, from its first on.
    """
    old, new = Random(f"{seed}-old"), Random(f"{seed}-new")
    old_counts: list[list[object]] = [["JOUR", *_COLUMNS, "ID_REFA_LDA", "CATEGORIE_TITRE", "NB_VALD"]]
    for day, stop, ticket, count in _counts(old, _OLD_DAY, days):
        old_counts.append([f"{day:%d/%m/%Y}", 100, *stop, ticket, count])
    new_counts: list[list[object]] = [["jour", *map(str.lower, _COLUMNS), "ida", "categorie_titre", "nb_vald"]]
    for day, (network, code, name, area), ticket, count in _counts(new, _NEW_DAY, days):
        known = "ND" if code == "63" else f"{area}.0"
        new_counts.append([day.isoformat(), 100, network, code, name, known, ticket, count])
    line = 40
    new_counts[line - 1][-1] = "12O"
    broken = BrokenRow(NEW_COUNTS, line, "nb_vald", "12O", "the letter O is no digit")
    profile = ("CAT_JOUR", "TRNC_HORR_60")
    old_profiles: list[list[object]] = [
        [*_COLUMNS, "ID_REFA_LDA", *profile, "pourc_validations"],
        *_profiles(old, comma=True),
    ]
    lower: list[object] = [*map(str.lower, _COLUMNS), "ida", *map(str.lower, profile), "pourc_validations"]
    return write_dataset(
        folder,
        VALIDATIONS,
        [
            SampleFile(OLD_COUNTS, table_bytes(old_counts, "\t", encoding="cp1252")),
            SampleFile(OLD_PROFILES, table_bytes(old_profiles, "\t", encoding="cp1252")),
            SampleFile(NEW_COUNTS, table_bytes(new_counts, ";"), (broken,)),
            SampleFile(NEW_PROFILES, table_bytes([lower, *_profiles(new, comma=False)], ";")),
        ],
    )


def _counts(rng: Random, first: date, days: int) -> Iterator[tuple[date, tuple[str, str, str, int], str, object]]:
    for day in (first + timedelta(days=n) for n in range(days)):
        for rank, stop in enumerate(_STOPS):
            for ticket, share in zip(_TICKETS, _SHARES, strict=True):
                level = 9_000 / (rank + 1) ** 1.6 * (0.35 if day.weekday() == 6 else 1)
                count = round(level * share * rng.uniform(0.8, 1.2))
                yield day, stop, ticket, "Moins de 5" if count < 5 else count


def _profiles(rng: Random, *, comma: bool) -> Iterator[list[object]]:
    """The hours of each kind of day at each stop, 100 in all but for rounding; some hours are not known."""
    for network, stop, name, area in _STOPS:
        for day_type in _DAY_TYPES:
            weights = [0.2 if hour < 5 else rng.uniform(1, 8) for hour in range(24)]
            for hour, weight in enumerate(weights):
                share = f"{100 * weight / sum(weights):.2f}"
                span = "ND" if rng.random() < 0.01 else f"{hour}H-{(hour + 1) % 24}H"
                share = share.replace(".", ",") if comma else share
                yield [100, network, stop, name, area if comma else f"{area}.0", day_type, span, share]
