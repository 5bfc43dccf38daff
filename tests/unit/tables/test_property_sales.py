"""Which published lines are one sale: cases made by hand, then any that hypothesis finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sale_lines import made_of, published_geolocated, published_raw, put_together

from pipelines.demo.sample_property import EXCHANGE, KINDS, OFF_PLAN, SALE, TOWNS, Drawer, Line, Sale, Town

Published = Callable[[Sequence[Sale]], pa.Table]

DAY, PRICE = date(2024, 5, 3), Decimal("250123.45")
HERE, THERE = TOWNS[2], TOWNS[3]  # two communes of one department
HOUSE = Line("A", 1, (), "1", 100, 5, "S", 400)
FLAT = Line("B", 7, ("12",), "2", 40, 2)
PUBLISHED = [published_raw, published_geolocated]


def _sale(
    *lines: Line, town: Town = HERE, price: Decimal | None = PRICE, nature: str = SALE, disposition: int = 1
) -> Sale:
    return Sale(town, DAY, price, lines, nature, disposition)


@pytest.mark.parametrize("published", PUBLISHED)
def test_a_house_with_its_garage_and_gardens_is_one_sale(published: Published) -> None:
    garage, garden = Line("A", 1, (), "3", 0, 0, "S", 400), Line("A", 2, use="J", land_m2=250)
    orchard = Line("A", 1, (), "1", 100, 5, "VE", 1000)  # the house again, for the parcel's other land use
    (sale,) = made_of(published([_sale(HOUSE, garage, orchard, garden)]))
    assert (sale["price_eur"], sale["houses"], sale["outbuildings"], sale["parcels"]) == (PRICE, 1, 1, 2)
    assert (sale["dwelling_m2"], sale["rooms"], sale["land_m2"]) == (100, 5, 400 + 1000 + 250)
    assert not sale["ambiguous"]


@pytest.mark.parametrize("published", PUBLISHED)
def test_a_flat_and_its_cellar_are_one_sale(published: Published) -> None:
    (sale,) = made_of(published([_sale(FLAT, Line("B", 7, ("45",), "3", 0, 0))]))
    assert (sale["flats"], sale["outbuildings"], sale["joined_by"], sale["ambiguous"]) == (1, 1, "parcel", False)


@pytest.mark.parametrize("published", PUBLISHED)
def test_a_building_of_several_flats_without_lots_is_one_sale(published: Published) -> None:
    (sale,) = made_of(published([_sale(*[Line("C", 3, (), "2", 30, 1, "S", 200)] * 4)]))
    assert (sale["flats"], sale["dwelling_m2"], sale["land_m2"], sale["ambiguous"]) == (4, 120, 200, False)


@pytest.mark.parametrize("published", PUBLISHED)
@pytest.mark.parametrize("nature", [SALE, OFF_PLAN, EXCHANGE])
def test_sales_of_one_day_and_price_in_two_communes_are_two(published: Published, nature: str) -> None:
    sales = made_of(published([_sale(FLAT, nature=nature), _sale(FLAT, town=THERE, nature=nature)]))
    assert [(sale["commune"], sale["price_eur"]) for sale in sales] == [(HERE.insee, PRICE), (THERE.insee, PRICE)]


@pytest.mark.parametrize("published", PUBLISHED)
@pytest.mark.parametrize("lots", [("12",), ()])
def test_two_dwellings_on_two_parcels_are_two_sales_that_may_be_one(
    published: Published, lots: tuple[str, ...]
) -> None:
    first, second = Line("B", 7, lots, "2", 40, 2), Line("B", 9, lots, "2", 55, 3)
    sales = made_of(published([_sale(first), _sale(second)]))
    assert [(sale["dwelling_m2"], sale["ambiguous"], sale["sales_in_group"]) for sale in sales] == [
        (40, True, 2),
        (55, True, 2),
    ]
    assert {sale["group_id"] for sale in sales} == {sales[0]["sale_id"]}
    assert sales == made_of(published([_sale(first, second)])), "the published lines are the same"


@pytest.mark.parametrize("published", PUBLISHED)
def test_two_flats_of_one_building_are_two_sales_and_each_keeps_its_cellar(published: Published) -> None:
    cellar = [Line("B", 7, (lot,), "3", 0, 0) for lot in ("101", "102")]
    sales = made_of(published([_sale(FLAT, cellar[0]), _sale(Line("B", 7, ("13",), "2", 60, 3), cellar[1])]))
    assert [(sale["dwelling_m2"], sale["outbuildings"], sale["ambiguous"]) for sale in sales] == [
        (40, 1, True),
        (60, 1, True),
    ]


@pytest.mark.parametrize("published", PUBLISHED)
def test_building_plots_and_lots_off_plan_and_garages_sell_one_by_one(published: Published) -> None:
    plots = [_sale(Line("D", number, use="AB", land_m2=500)) for number in (1, 2)]
    off_plan = [_sale(Line("E", 1, (lot,)), nature=OFF_PLAN) for lot in ("1", "2")]
    garages = [_sale(Line("F", 1, (lot,), "3", 0, 0), price=Decimal(15000)) for lot in ("1", "2")]
    for pair in (plots, off_plan, garages):
        assert [(sale["sales_in_group"], sale["ambiguous"]) for sale in made_of(published(pair))] == [(2, True)] * 2


@pytest.mark.parametrize("published", PUBLISHED)
def test_fields_are_one_sale_and_say_that_they_might_be_more(published: Published) -> None:
    (sale,) = made_of(published([_sale(*(Line("G", number, use="T", land_m2=1000) for number in range(1, 6)))]))
    assert (sale["parcels"], sale["land_m2"], sale["ambiguous"], sale["sales_in_group"]) == (5, 5000, True, 1)


@pytest.mark.parametrize("published", PUBLISHED)
def test_fields_in_two_communes_are_two_sales(published: Published) -> None:
    field = Line("G", 1, use="T", land_m2=1000)
    sales = made_of(published([_sale(field), _sale(field, town=THERE)]))
    assert [(sale["commune"], sale["land_m2"]) for sale in sales] == [(HERE.insee, 1000), (THERE.insee, 1000)]


@pytest.mark.parametrize("published", PUBLISHED)
def test_building_land_beside_a_house_is_another_sale_unless_on_its_parcel(published: Published) -> None:
    (whole,) = made_of(published([_sale(HOUSE, Line("A", 1, use="AB", land_m2=600))]))
    assert (whole["houses"], whole["land_m2"], whole["ambiguous"]) == (1, 1000, False)
    house, plot = made_of(published([_sale(HOUSE, Line("A", 2, use="AB", land_m2=600))]))
    assert (house["houses"], house["ambiguous"], plot["land_m2"], plot["sales_in_group"]) == (1, True, 600, 2)


@pytest.mark.parametrize("published", PUBLISHED)
def test_a_garage_on_another_parcel_goes_with_the_flat_and_says_so(published: Published) -> None:
    (sale,) = made_of(published([_sale(FLAT, Line("B", 30, ("2",), "3", 0, 0))]))
    assert (sale["flats"], sale["outbuildings"], sale["ambiguous"], sale["sales_in_group"]) == (1, 1, True, 1)


@pytest.mark.parametrize("published", PUBLISHED)
def test_what_differs_in_price_nature_or_disposition_is_another_sale(published: Published) -> None:
    sales = [
        _sale(HOUSE),
        _sale(HOUSE, price=Decimal("250123.46")),
        _sale(HOUSE, nature=EXCHANGE),
        _sale(HOUSE, disposition=2),
        _sale(HOUSE, price=None),
    ]
    assert sorted(str(sale["price_eur"]) for sale in made_of(published(sales))) == ["250123.45"] * 3 + [
        "250123.46",
        "None",
    ]


def test_a_sale_without_a_price_is_kept_whole() -> None:
    (sale,) = made_of(published_raw([_sale(HOUSE, Line("A", 2, use="J", land_m2=9), price=None)]))
    assert (sale["price_eur"], sale["lines"]) == (None, 2)


def test_lines_that_do_not_follow_one_another_are_two_sales_of_a_raw_file() -> None:
    between = _sale(HOUSE, price=Decimal(1))
    sales = made_of(published_raw([_sale(FLAT), between, _sale(FLAT)]))
    assert [sale["ambiguous"] for sale in sales] == [False, False, False]
    assert [sale["sale_id"][-3:] for sale in sales] == ["1.1", "1.1", "1.2"], "the same flat, sold twice in a day"


def test_a_mutation_id_that_all_france_shares_joins_nothing() -> None:
    lines = published_geolocated([_sale(HOUSE, town=town) for town in TOWNS])
    assert set(lines["mutation_id"].to_pylist()) == {"2024-1"}
    sales = made_of(lines)
    assert [sale["ambiguous"] for sale in sales] == [False] * len(TOWNS)


def test_sums_of_prices_are_exact_to_the_cent() -> None:
    prices = [Decimal("20000001.00"), Decimal("250123.45"), Decimal("0.10"), Decimal("0.20")]
    sales = made_of(published_raw([_sale(HOUSE, price=price) for price in prices]))
    assert sum(sale["price_eur"] for sale in sales) == Decimal("20250124.75")


@st.composite
def _many_sales(draw: st.DrawFn) -> list[Sale]:
    """Sales of few days, prices, towns and kinds, so that most share day and price with others, as the publisher writes them."""
    rng = Random(draw(st.integers(0, 10**9)))
    drawer = Drawer(rng)
    sales = []
    for kind in draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=40)):
        town = TOWNS[rng.randrange(4)]
        price = rng.choice([Decimal(150000), Decimal("250123.45"), None])
        day = date(2024, 5, rng.randint(1, 2))
        sales.append(Sale(town, day, price, drawer.lines(kind, town), OFF_PLAN if kind == "off plan" else SALE))
    return sorted(sales, key=lambda sale: sale.town.department)


@settings(max_examples=40, deadline=None)
@given(_many_sales(), st.sampled_from(PUBLISHED))
def test_no_two_true_sales_become_one(sales: list[Sale], published: Published) -> None:
    lines = published(sales)
    owner = {}  # by parcel: each generated sale has parcels of its own
    for number, sale in enumerate(sales):
        for line in sale.lines:
            owner[(sale.town.insee, line.number)] = number
    truth = {
        row["source_line"]: owner[(row["commune"], int(row["parcel"][-4:]))]
        for row in lines.select(["source_line", "commune", "parcel"]).to_pylist()
    }
    rows = {row["source_line"]: row for row in made_of(lines)}
    for members in put_together(lines):
        true_sales = {truth[line] for line in members}
        if len(true_sales) == 1:
            continue
        # What is ever put to another sale's: plain land, which nothing published tells from a garden or from more fields, and
        # a lone garage.
        row = rows[min(members)]
        assert row["joined_by"] in ("run", "section")
        kinds = [{_kind(line) for line in sales[number].lines} for number in true_sales]
        assert sum("sells by itself" in kind for kind in kinds) <= 1
        assert row["ambiguous"] or not any(kind == {"garage"} for kind in kinds)
        assert row["ambiguous"] or any("sells by itself" in kind or "garage" in kind for kind in kinds)
    assert sum(row["lines"] for row in rows.values()) == lines.num_rows


def _kind(line: Line) -> str:
    if line.local in ("1", "2", "4") or (line.lots and not line.local) or line.use == "AB":
        return "sells by itself"
    return "garage" if line.local else "land"
