"""From a zip of property sales to typed rows committed to the lake, beside unzipping and a plain typed DuckDB COPY.

The text is generated, 600 MB in the shape of the raw DVF files. Bar: at least 0.9 times the peer; under 1 GB of memory.
`--short` tries 10 MB and keeps nothing.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from dvf_file import HEADER, TYPES, write_dvf
from side_by_side import RUNS, SHORT, Row, Runner, measured, report

SIZE = (10 if SHORT else 600) << 20

_IMPORTS = """
import deltalake, pandas, pyarrow
from pipelines.conform import conform
from pipelines.conform.kinds import unpack
from pipelines.contracts import load_contract
from pipelines.lake import Lake, Provenance
from pipelines.progress import Silent
from pipelines.settings import Settings
"""
_ROCADE = """
contract, settings = load_contract("property"), Settings(home=folder / "home")
settings.staging.mkdir(parents=True)
(part,) = unpack(source, source.name, folder / "parts")
result = conform(part, contract, settings, Silent(), name=source.name, resource="bench", sha256="0" * 64,
    target=settings.staging / "clean.parquet", metadata={"rocade": "{}"})
lake, table = Lake(settings.lake), result.match.table
file = lake.new_file(table.qualified_name, {"source_resource": "bench"})
result.file.replace(file)
lake.publish(table.qualified_name, [file], table.arrow_schema(), Provenance("ingest", "bench", {}),
    partition_by=["source_resource"], replace={"source_resource": ["bench"]})
"""
_COLUMNS = {name: TYPES.get(name, "VARCHAR") for name in HEADER}
_DUCKDB = """
with zipfile.ZipFile(source) as archive:
    (name,) = archive.namelist()
    text = archive.extract(name, folder)
duckdb.sql(f'''COPY (FROM read_csv('{text}', delim='|', header=true, auto_detect=false, quote='',
    columns={columns}, dateformat='%d/%m/%Y', decimal_separator=',', ignore_errors=true)
    ) TO '{folder}/duckdb.parquet' (FORMAT parquet, COMPRESSION zstd)''')
"""

ROCADE = Runner("rocade, DVF zip", _IMPORTS, _ROCADE)
DUCKDB = Runner("unzip and DuckDB typed COPY", f"import duckdb, zipfile\ncolumns = {_COLUMNS}", _DUCKDB)


def main() -> None:
    """Measure, print, append."""
    speed: dict[str, list[float]] = {ROCADE.name: [], DUCKDB.name: []}
    peak = 0.0
    with tempfile.TemporaryDirectory() as folder:
        text, zipped = Path(folder) / "valeursfoncieres-2023.txt", Path(folder) / "valeursfoncieres-2023.zip"
        write_dvf(text, zipped, SIZE)
        size = text.stat().st_size / 1e6
        for _ in range(RUNS):
            for runner in (ROCADE, DUCKDB):
                with tempfile.TemporaryDirectory(dir=folder) as own:
                    seconds, memory = measured(runner, zipped, Path(own))
                speed[runner.name].append(size / seconds)
                print(f"  {size:.0f} MB, {runner.name}: {size / seconds:.3g} MB/s, peak {memory:.0f} MB")
                peak = max(peak, memory) if runner is ROCADE else peak
    ours, theirs = (statistics.median(speed[each.name]) for each in (ROCADE, DUCKDB))
    report(
        [
            Row(ROCADE.name, ours, "MB/s of text", DUCKDB.name, theirs, bar=0.9),
            Row("peak memory, DVF zip", peak, "MB", "bar", 1000.0, bar=1, at_most=True),
        ]
    )


if __name__ == "__main__":
    main()
