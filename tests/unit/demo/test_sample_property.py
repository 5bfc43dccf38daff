"""Property sales from zipped raw files and géolocalisées to one row a sale, to the cent."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pipelines.demo.sample_property import (
    GEO_HEADER,
    RAW_HEADER,
    TOWNS,
    Line,
    Sale,
    draw_sales,
    geolocated_text,
    parcel,
    raw_text,
    write_property_samples,
)
from pipelines.ingest import ingest
from pipelines.progress import Silent
from pipelines.settings import Settings
from pipelines.tables import build, run_query

SALES = draw_sales(Random("sales"), 2024, 400)


def _rows(settings: Settings, query: str) -> list[dict[str, Any]]:
    with run_query(settings, query, personal=False) as rows:
        return [row for batch in rows for row in batch.to_pylist()]


def _write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name.removesuffix(".zip"), text)
    else:
        path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module", params=["raw", "geolocated"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A lake with ``SALES`` in it, from one of the two editions."""
    folder = tmp_path_factory.mktemp(request.param)
    settings = Settings(home=folder / "home")
    raw = request.param == "raw"
    name, text = ("valeursfoncieres-2024.txt.zip", raw_text) if raw else ("dvf-2024.csv", geolocated_text)
    (outcome,) = ingest("property", settings, Silent(), [_write(folder, name, text(SALES))])
    assert (outcome.status, outcome.quarantined) == ("published", {}), outcome.message
    assert outcome.published == sum(len(sale.lines) for sale in SALES)
    build(settings, names=["core.property_sales", "big.property_prices_by_commune"])
    return settings


def test_each_sale_is_one_row_at_its_price(built: Settings) -> None:
    rows = _rows(built, "SELECT sold_on, commune, parcel, price_eur, lines FROM core.property_sales")
    ours = sorted(_key(row["sold_on"], row["commune"], row["parcel"], row["price_eur"], row["lines"]) for row in rows)
    assert ours == sorted(
        _key(sale.day, sale.town.insee, parcel(sale, sale.lines[0]), sale.price, len(sale.lines)) for sale in SALES
    )


def test_prices_add_up_to_the_cent(built: Settings) -> None:
    (row,) = _rows(
        built, "SELECT sum(price_eur) AS total, typeof(any_value(price_eur)) AS type FROM core.property_sales"
    )
    assert row == {"total": sum(sale.price for sale in SALES if sale.price), "type": "DECIMAL(18,2)"}


def test_prices_by_commune_count_clear_sales_only(built: Settings) -> None:
    rows = _rows(built, "SELECT * FROM big.property_prices_by_commune WHERE kind = 'house' AND commune = '62193'")
    houses = [_house_price(sale) for sale in SALES if sale.town.insee == "62193" and sale.lines[0].local == "1"]
    clear = [price for price in houses if price is not None]
    assert (rows[0]["sales"], rows[0]["total_eur"]) == (len(clear), sum(clear, Decimal(0)))
    assert rows[0]["left_out"] == len(houses) - len(clear)


def test_prices_by_commune_leave_out_what_may_be_one_sale(tmp_path: Path) -> None:
    town, day, price = TOWNS[1], date(2024, 5, 3), Decimal(100_000)
    flats = [Sale(town, day, price, (Line("A", number, ("1",), "2", 50, 2),)) for number in (1, 2)]
    alone = Sale(town, day, Decimal("100000.50"), (Line("B", 3, ("1",), "2", 50, 2),))
    several = Sale(
        town, day, Decimal(7), (Line("C", 4, (), "2", 50, 2, "S", 90), Line("C", 4, (), "2", 40, 2, "S", 90))
    )
    settings = Settings(home=tmp_path / "home")
    ingest("property", settings, Silent(), [_write(tmp_path, "dvf-2024.txt", raw_text([*flats, alone, several]))])
    build(settings, names=["core.property_sales", "big.property_prices_by_commune"])
    (row,) = _rows(settings, "FROM big.property_prices_by_commune")
    assert (row["kind"], row["sales"], row["left_out"]) == ("flat", 1, 3)
    assert (row["total_eur"], row["median_eur"]) == (Decimal("100000.50"), Decimal("100000.50"))
    assert (row["median_eur_per_m2"], row["median_m2"]) == (2000.01, 50)


def test_large_and_odd_prices_stay_exact(tmp_path: Path) -> None:
    prices = [Decimal("20000001.00"), Decimal("250123.45"), Decimal("99999999999.99"), Decimal("0.01")]
    sales = [Sale(sale.town, sale.day, price, sale.lines) for sale, price in zip(SALES, prices, strict=False)]
    settings = Settings(home=tmp_path / "home")
    ingest("property", settings, Silent(), [_write(tmp_path, "valeursfoncieres-2024.txt", raw_text(sales))])
    build(settings, names=["core.property_sales"])
    rows = _rows(settings, "SELECT price_eur FROM core.property_sales ORDER BY price_eur")
    assert [row["price_eur"] for row in rows] == sorted(prices)


def test_a_year_comes_from_one_edition(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    first = _write(tmp_path, "valeursfoncieres-2024.txt", raw_text(SALES))
    second = _write(tmp_path, "dvf-2024.csv", geolocated_text(SALES))
    assert ingest("property", settings, Silent(), [first])[0].status == "published"
    (outcome,) = ingest("property", settings, Silent(), [second])
    assert outcome.status == "refused"
    assert set(outcome.quarantined) == {"already_published"}


def test_another_year_under_the_same_name_does_not_take_the_place_of_the_first(tmp_path: Path) -> None:
    """The géolocalisées call every year's file `full.csv.gz`."""
    settings = Settings(home=tmp_path / "home")
    for year, status in ((2022, "published"), (2023, "refused"), (2022, "unchanged")):
        text = geolocated_text(draw_sales(Random(year), year, 40))
        (outcome,) = ingest("property", settings, Silent(), [_write(tmp_path, "full.csv", text)])
        assert outcome.status == status, outcome.message
        if status == "refused":
            assert "under the same name" in (outcome.message or "")
    assert _rows(settings, "SELECT DISTINCT vintage FROM core.property_sale_lines") == [{"vintage": 2022}]


def test_a_year_that_leaves_the_source_stays(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    for year in (2019, 2020):
        text = raw_text(draw_sales(Random(year), year, 20))
        ingest("property", settings, Silent(), [_write(tmp_path, f"valeursfoncieres-{year}.txt", text)])
        build(settings, names=["core.property_sales"])
    assert _rows(settings, "SELECT vintage, count(*) n FROM core.property_sales GROUP BY 1 ORDER BY 1") == [
        {"vintage": 2019, "n": 20},
        {"vintage": 2020, "n": 20},
    ]


def test_cells_of_a_raw_line(tmp_path: Path) -> None:
    cells = dict.fromkeys(RAW_HEADER, "") | {
        "No disposition": "000001",
        "Date mutation": "03/05/2024",
        "Nature mutation": "Vente",
        "Valeur fonciere": "250123,45",
        "No voie": "12",
        "B/T/Q": "B",
        "Type de voie": "RUE",
        "Voie": "DU PORT",
        "Code postal": "1500",
        "Commune": "AMBERIEU-EN-BUGEY",
        "Code departement": "1",
        "Code commune": "4",
        "Section": "A",
        "No plan": "12",
        "1er lot": "7",
        "Surface Carrez du 1er lot": "41,27",
        "Nombre de lots": "1",
        "Code type local": "2",
        "Surface reelle bati": "42",
        "Nombre pieces principales": "2",
        "Nature culture": "S",
        "Nature culture speciale": "POTAG",
        "Surface terrain": "1200",
    }
    settings = Settings(home=tmp_path / "home")
    text = "|".join(RAW_HEADER) + "\n" + "|".join(cells.values()) + "\n"
    ingest("property", settings, Silent(), [_write(tmp_path, "valeursfoncieres-2024.txt", text)])
    (row,) = _rows(settings, "FROM core.property_sale_lines")
    expected = {
        "disposition": 1,
        "nature": "sale",
        "nature_fr": "vente",
        "price_eur": Decimal("250123.45"),
        "street_number": "12",
        "street_suffix": "B",
        "street": "RUE DU PORT",
        "postcode": "01500",
        "department": "01",
        "commune": "01004",
        "parcel": "010040000A0012",
        "lot_1": "7",
        "lot_1_m2": 41.27,
        "lots": 1,
        "local_type": "flat",
        "local_type_fr": "appartement",
        "built_m2": 42,
        "rooms": 2,
        "land_m2": 1200,
        "land_use": "ground of buildings",
        "special_use": "kitchen garden",
        "special_use_fr": "jardin potager",
    }
    assert {name: row[name] for name in expected} == expected


def test_headers_have_the_published_width() -> None:
    assert (len(RAW_HEADER), len(GEO_HEADER)) == (43, 40)


def test_equal_arguments_give_equal_bytes(tmp_path: Path) -> None:
    folders = [write_property_samples(tmp_path / name, sales_per_year=30) for name in "ab"]
    one, two = ((folder / "valeursfoncieres-2024.txt.zip").read_bytes() for folder in folders)
    assert one == two
    with zipfile.ZipFile(io.BytesIO(one)) as archive:
        assert archive.read("ValeursFoncieres-2024.txt").decode().splitlines()[0] == "|".join(RAW_HEADER)


def _key(*values: object) -> tuple[str, ...]:
    return tuple(map(str, values))


def _house_price(sale: Sale) -> Decimal | None:
    return sale.price if sale.nature == "Vente" else None
