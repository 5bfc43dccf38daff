"""What a user waits for each day: a resource that is unchanged, and a look at a small file.

Bars: an unchanged resource costs one conditional request and less than 0.2 s after the start; `rocade inspect` of a file of 200
rows takes less than 1 s, its start included. data.gouv.fr is the local mirror, which counts the requests.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from baac_file import write_baac
from side_by_side import ROOT, SHORT, Row, Runner, measured, report

from pipelines.contracts import load_contract
from pipelines.demo.mirror import Mirror
from pipelines.demo.samples import write_accident_samples
from pipelines.ingest import ingest
from pipelines.plan import plan
from pipelines.progress import Silent
from pipelines.settings import Settings

RUNS = 1 if SHORT else 5

_IMPORTS = """
from pipelines.ingest import ingest
from pipelines.plan import plan
from pipelines.progress import Silent
from pipelines.settings import Settings
told = json.loads(source.read_text())
settings = Settings(home=Path(told["home"]), datagouv_url=told["mirror"])
"""
_BODY = """
(outcome,) = ingest("accidents", settings, Silent(), [told["file"]])
if outcome.status != "unchanged":
    sys.exit(f"{outcome.status}: {outcome.message}")
"""
UNCHANGED = Runner("unchanged resource", _IMPORTS, _BODY)


def unchanged(folder: Path) -> list[Row]:
    """Seconds after the start, and requests, of ingesting a file a second time."""
    site = write_accident_samples(folder / "site", accidents_per_year=200, years=[2020])
    requests: list[str] = []
    with Mirror(site, log=requests.append) as mirror:
        settings = Settings(home=folder / "home", datagouv_url=mirror.url)
        told = {"home": str(settings.home), "mirror": mirror.url}
        told["file"] = plan(load_contract("accidents"), settings)[0].resource.url
        (folder / "told.json").write_text(json.dumps(told), encoding="utf-8")
        (first,) = ingest("accidents", settings, Silent(), [told["file"]])
        if first.status != "published":
            sys.exit(f"the first ingest was {first.status}: {first.message}")
        seconds, asked = [], []
        for _ in range(RUNS):
            requests.clear()
            seconds.append(measured(UNCHANGED, folder / "told.json", folder)[0])
            asked.append(sum(" 304 " in line for line in requests) if len(requests) == 1 else len(requests) + 1)
    return [
        Row("unchanged resource, after start", statistics.median(seconds), "s", "bar", 0.2, bar=1, at_most=True),
        Row("unchanged resource, requests", max(asked), "conditional", "bar", 1, bar=1, at_most=True),
    ]


def inspect(folder: Path) -> Row:
    """Seconds of the whole command on 200 rows."""
    file = folder / "caracteristiques-2019.csv"
    write_baac(file, 200 * 122, quoted=True)
    taken = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "pipelines.cli", "inspect", str(file)], cwd=ROOT, capture_output=True, check=True
        )
        taken.append(time.perf_counter() - began)
    return Row("rocade inspect, 200 rows", statistics.median(taken[1:]), "s", "bar", 1.0, bar=1, at_most=True)


def main() -> None:
    """Measure, print, append."""
    with tempfile.TemporaryDirectory() as folder:
        report([*unchanged(Path(folder)), inspect(Path(folder))])


if __name__ == "__main__":
    main()
