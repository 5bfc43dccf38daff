"""Searching: words, filters, facets, and what happens where the search is switched off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import ClassVar

import pytest

from pipelines.catalog import Catalog, Facet, Place, Query, place_of
from pipelines.demo.mirror import Mirror, MirrorHandler
from pipelines.errors import CatalogError, ResourceGone

RECORDED = Path(__file__).parents[3] / "../shared/data/datagouv/api"
SNCF = {"id": "a" * 24, "name": "SNCF", "slug": "sncf"}
OWN = {"id": "b" * 24, "name": "Ville d'Évry", "slug": "evry"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, (slug, title, owner, tags, licence, file) in enumerate(
        [
            ("gares", "Fréquentation en gares", SNCF, ["gare", "transport"], "lov2", "gares.csv"),
            ("objets", "Objets trouvés en gare", SNCF, ["gare"], "odbl", "objets.json"),
            ("arbres", "Arbres d'alignement", OWN, ["nature"], "lov2", "arbres.csv"),
        ]
    ):
        (tmp_path / slug).mkdir()
        record = {"id": f"{number:024x}", "title": title, "slug": slug, "license": licence, "frequency": "annual"}
        (tmp_path / slug / "dataset.json").write_text(json.dumps({**record, "organization": owner, "tags": tags}))
        (tmp_path / slug / file).write_text("a;b\n1;2\n")
    return tmp_path


@pytest.fixture
def catalog(folder: Path) -> Iterator[Catalog]:
    with Mirror(folder) as mirror, Catalog(mirror.url, 5, 0, 0) as client:
        yield client


@pytest.mark.parametrize(
    ("query", "slugs"),
    [
        (Query("gare"), ["gares", "objets"]),
        (Query("frequentation GARES"), ["gares"]),
        (Query(""), ["arbres", "gares", "objets"]),
        (Query("gare", organization="sncf", format="json"), ["objets"]),
        (Query(organization="b" * 24), ["arbres"]),
        (Query(tag="transport"), ["gares"]),
        (Query(licence="lov2"), ["arbres", "gares"]),
        (Query("rien de tel"), []),
    ],
)
def test_words_and_filters(catalog: Catalog, query: Query, slugs: list[str]) -> None:
    found = catalog.search(query)
    assert [each.slug for each in found.datasets] == slugs
    assert found.total == len(slugs)
    assert found.notes == ()


def test_what_is_told_of_a_dataset_and_the_facets(catalog: Catalog) -> None:
    found = catalog.search(Query("gare"))
    first = found.datasets[0]
    assert (first.title, first.organization, first.licence) == ("Fréquentation en gares", "SNCF", "lov2")
    assert first.resource_count == 1
    assert found.facets[0] == Facet("organization", (("SNCF", 2),))
    assert {facet.name: dict(facet.values) for facet in found.facets}["tag"] == {"gare": 2, "transport": 1}


def test_pages(catalog: Catalog) -> None:
    pages = [catalog.search(Query(limit=2, page=page)) for page in (1, 2)]
    assert [[each.slug for each in page.datasets] for page in pages] == [["arbres", "gares"], ["objets"]]
    assert {page.total for page in pages} == {3}


def test_an_unknown_organisation_is_an_error(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="no organisation 'nobody'"):
        catalog.search(Query("gare", organization="nobody"))


class SwitchedOff(MirrorHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:  # noqa: N802 - the name is http.server's
        self.asked.append(self.path)
        if self.path.startswith("/api/2/datasets/search"):
            self.send_json(HTTPStatus.NOT_IMPLEMENTED, {"message": "Search endpoint not enabled"})
        else:
            super().do_GET()


def test_where_search_is_switched_off_the_list_answers_at_once(folder: Path) -> None:
    class Off(Mirror):
        handler = SwitchedOff

    with Off(folder) as mirror, Catalog(mirror.url, 5, 3, 60) as client:
        found = client.search(Query("gare"))
    assert [each.slug for each in found.datasets] == ["gares", "objets"]
    assert found.facets == ()
    assert "switched off" in found.notes[0]
    assert len(SwitchedOff.asked) == 2  # 501 is not worth another try


BASE = "https://www.data.gouv.fr"
RID = "96452cf0-329a-4908-8adb-8f061adcca4c"


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ("53698f4ca3a729239d2036df", Place(dataset="53698f4ca3a729239d2036df")),
        ("frequentation-en-gares", Place(dataset="frequentation-en-gares")),
        (RID, Place(resource=RID)),
        (f"{BASE}/fr/datasets/bases-de-donnees/", Place(dataset="bases-de-donnees")),
        (f"{BASE}/datasets/bases-de-donnees", Place(dataset="bases-de-donnees")),
        (f"{BASE}/datasets/bases-de-donnees/informations?x=1", Place(dataset="bases-de-donnees")),
        (f"{BASE}/fr/datasets/bases-de-donnees/#/resources/{RID}", Place(resource=RID)),
        (f"{BASE}/datasets/bases-de-donnees?resource_id={RID}", Place(resource=RID)),
        (f"{BASE}/fr/datasets/r/{RID}", Place(resource=RID)),
        (f"{BASE}/api/1/datasets/r/{RID}", Place(resource=RID)),
        (f"{BASE}/api/1/datasets/x/resources/{RID}/", Place(resource=RID)),
        (f"{BASE}/api/2/datasets/resources/{RID}/", Place(resource=RID)),
        (f"{BASE}/api/2/datasets/bases-de-donnees/", Place(dataset="bases-de-donnees")),
        ("http://demo.data.gouv.fr/datasets/x", Place(dataset="x")),
        ("https://static.data.gouv.fr/resources/x/20240101/a.csv", Place()),
        ("https://example.org/datasets/x", Place()),
        (f"{BASE}/datasets/search?q=x", Place()),
        ("a file.csv", Place()),
    ],
)
def test_what_an_address_means(given: str, place: Place) -> None:
    assert place_of(given, BASE) == place
    assert place_of(given.replace(BASE, "http://127.0.0.1:8000"), "http://127.0.0.1:8000") == place


def test_the_catalogue_of_schemas(folder: Path) -> None:
    (folder / "schemas/etalab").mkdir(parents=True)
    schema = {"title": "Arbres", "version": "v1.2.0", "fields": [{"name": "essence"}]}
    (folder / "schemas/etalab/schema-arbres.json").write_text(json.dumps(schema))
    with Mirror(folder) as mirror, Catalog(mirror.url, 5, 0, 0) as client:
        url = client.schema_url("etalab/schema-arbres", "1.2.0")
        assert url == f"{mirror.url}/schemas/etalab/schema-arbres.json"
        assert client.schema_url("etalab/schema-arbres", None) == url
        assert client.schema_url("etalab/other", None) is None
        assert client.document(url) == schema
        with pytest.raises(ResourceGone, match="no schema"):
            client.document(f"{mirror.url}/schemas/..%2Farbres/dataset.json")


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers are not on this machine")
def test_recorded_datasets_are_read_as_search_results() -> None:
    from pipelines.catalog.records import Record
    from pipelines.catalog.search import found_in

    recorded = json.loads((RECORDED / "udata_fixture_datasets_subset.json").read_text())
    entries = [
        {
            **each["dataset"],
            "organization": each["organization"],
            "resources": {"total": len(each["resources"])},
            "license": "lov2",
            "id": each["dataset"].get("id", "0" * 24),
            "slug": each["dataset"].get("slug", "x"),
        }
        for each in recorded
    ]
    page = {
        "data": entries,
        "total": len(entries),
        "next_page": None,
        "facets": {"format": [{"name": "csv", "count": 3}]},
    }
    found = found_in(Record("recorded", "the answer", page), Query())
    assert [each.title for each in found.datasets] == [each["dataset"]["title"] for each in recorded]
    assert [each.resource_count for each in found.datasets] == [len(each["resources"]) for each in recorded]
    assert found.facets == (Facet("format", (("csv", 3),)),)
