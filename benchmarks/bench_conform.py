"""From CSV to typed rows committed to the lake: Rocade beside DuckDB, Polars, dlt and csv-detective; the gate; peak memory.

The file is generated, 1 GB in the shape of BAAC's `caracteristiques`. Bars: at least 0.9 times a plain typed DuckDB COPY of the
same file, level with Polars' streaming sink as a goal, 2.5 times dlt with its DuckDB reader and 30 times csv-detective's
whole analysis; the gate adds at most half, its import apart; under 1 GB of memory. All run in turns, each in a fresh process;
medians are compared. dlt is told to hand over Arrow, its fastest way, and has the 1 GB once, afterwards, in two ways: the same
work, typed as DuckDB's and committed to a Delta table; and files alone, of what its reader takes the cells for (coordinates with
a comma for text). csv-detective slows down as files grow (1 GB takes it longer than all else here together), so that it runs on
95 MB, where fixed costs count for more; `--large` lets it have the 1 GB, and adds 4 GB of ours, for the memory. `--short` tries
20 MB.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from baac_file import HEADER, TYPES, write_baac
from side_by_side import LARGE, RUNS, SHORT, Row, Runner, available, measured, report

SIZE, HEAD = (20 << 20, 10 << 20) if SHORT else (1 << 30, 95 << 20)
NAME = "caracteristiques-2019.csv"
MEMORY_MB = 1000.0

#: pyarrow imports pandas when it makes its first value.
_IMPORTS = """
import deltalake, pandas, pyarrow
from pipelines.conform import conform
from pipelines.contracts import load_contract
from pipelines.lake import Lake, Provenance
from pipelines.progress import Silent
from pipelines.quality.gate import judge
from pipelines.settings import Settings
"""
_ROCADE = """
contract, settings = load_contract("accidents"), Settings(home=folder / "home")
settings.staging.mkdir(parents=True)
result = conform(source, contract, settings, Silent(), name=source.name, resource="bench", sha256="0" * 64,
    target=settings.staging / "clean.parquet", metadata={"rocade": "{}"})
{gate}
lake, table = Lake(settings.lake), result.match.table
file = lake.new_file(table.qualified_name, {"source_resource": "bench"})
result.file.replace(file)
lake.publish(table.qualified_name, [file], table.arrow_schema(), Provenance("ingest", "bench", {}),
    partition_by=["source_resource"], replace={"source_resource": ["bench"]})
"""
_GATE = """
verdict = judge(result, contract, settings, "bench")
if not verdict.passed:
    sys.exit(verdict.summary())
"""
_COLUMNS = {name: TYPES.get(name, "VARCHAR") for name in HEADER}
_DUCKDB = """
duckdb.sql(f'''COPY (FROM read_csv('{source}', delim=';', header=true, auto_detect=false, quote='"', escape='"',
    columns={columns}, decimal_separator=',', ignore_errors=true)
    ) TO '{folder}/duckdb.parquet' (FORMAT parquet, COMPRESSION zstd)''')
"""
_POLARS = """
kinds = {"BIGINT": pl.Int64, "DOUBLE": pl.Float64, "VARCHAR": pl.String}
schema = {name: kinds[kind] for name, kind in columns.items()}
pl.scan_csv(source, separator=";", schema=schema, decimal_comma=True, ignore_errors=True).sink_parquet(
    folder / "polars.parquet", compression="zstd")
"""
_DLT_IMPORTS = """
import os
os.environ |= {"DLT_DATA_DIR": "dlt", "RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR",
    "DATA_WRITER__COMPRESSION": "zstd"}
import dlt
from dlt.sources.filesystem import filesystem, read_csv_duckdb
"""
_DLT = """
pipeline = dlt.pipeline("bench", pipelines_dir=str(folder / "dlt"), dataset_name="bench",
    destination=dlt.destinations.filesystem(bucket_url=(folder / "out").as_uri()))
files = filesystem(bucket_url=source.parent.as_uri(), file_glob=source.name)
rows = files | read_csv_duckdb(use_pyarrow=True, header=True, delimiter=";"{typed})
pipeline.run(rows.with_name("rows"), {to})
"""
_DETECTIVE = "routine(str(source), num_rows=-1, output_profile=True, save_results=False)"

ROCADE = Runner("rocade conform and commit", _IMPORTS, _ROCADE.replace("{gate}", ""))
GATED = Runner("rocade with the gate", _IMPORTS + "import pipelines.quality.suite", _ROCADE.replace("{gate}", _GATE))
DUCKDB = Runner("DuckDB typed COPY", f"import duckdb\ncolumns = {_COLUMNS}", _DUCKDB)
POLARS = Runner("Polars streaming", f"import polars as pl\ncolumns = {_COLUMNS}", _POLARS, peer="polars")
DLT = Runner(
    "dlt, DuckDB reader, committed",
    f"{_DLT_IMPORTS}import deltalake\ncolumns = {_COLUMNS}",
    _DLT.replace("{typed}", ", dtype=columns, decimal=',', ignore_errors=True").replace("{to}", "table_format='delta'"),
    peer="deltalake",
)
DLT_FILES = Runner(
    "dlt, DuckDB reader, files",
    _DLT_IMPORTS,
    _DLT.replace("{typed}", "").replace("{to}", "loader_file_format='parquet'"),
    peer="dlt",
)
DETECTIVE = Runner("csv-detective", "from csv_detective import routine", _DETECTIVE, peer="csv_detective")

#: At least so many times as fast as the peer; Polars is a goal.
BARS = {DUCKDB.name: 0.9, POLARS.name: None, DLT.name: 2.5, DLT_FILES.name: 2.5, DETECTIVE.name: 30.0}

Results = dict[str, list[tuple[float, float]]]


def in_turns(runners: list[Runner], source: Path, runs: int) -> Results:
    """Megabytes a second and peak memory in MB, of each run; in turns, so that all see the machine alike."""
    results: Results = {each.name: [] for each in runners}
    size = source.stat().st_size / 1e6
    for _ in range(runs):
        for runner in runners:
            with tempfile.TemporaryDirectory(dir=source.parent) as folder:
                seconds, memory = measured(runner, source, Path(folder))
            results[runner.name].append((size / seconds, memory))
    for name, found in results.items():
        speeds = ", ".join(f"{speed:.3g}" for speed, _ in found)
        print(f"  {size:.0f} MB, {name}: {speeds} MB/s, peak {max(peak for _, peak in found):.0f} MB")
    return results


def speed_rows(results: Results, what: str) -> list[Row]:
    """Rocade beside each peer that ran."""
    speed = {name: statistics.median(each for each, _ in found) for name, found in results.items()}
    ours = speed[ROCADE.name]
    return [Row(what, ours, "MB/s", name, speed[name], bar) for name, bar in BARS.items() if name in speed]


def gate_row(results: Results) -> Row:
    """What the gate adds to the time of conform and commit: the median over turns, whose two runs stand next to each other."""
    pairs = zip(results[ROCADE.name], results[GATED.name], strict=True)
    added = statistics.median(without / with_gate - 1 for (without, _), (with_gate, _) in pairs)
    return Row("the gate adds", added, "of conform and commit", "bar", 0.5, bar=1, at_most=True)


def memory_row(results: Results, what: str) -> Row:
    """The greatest peak of all of Rocade's runs."""
    peak = max(peak for name in (ROCADE.name, GATED.name) for _, peak in results.get(name, []))
    return Row(f"peak memory, {what}", peak, "MB", "bar", MEMORY_MB, bar=1, at_most=True)


def main() -> None:
    """Measure, print, append."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / NAME
        write_baac(file, SIZE, quoted=True)
        results = in_turns(available([ROCADE, GATED, DUCKDB, POLARS]), file, RUNS)
        results |= in_turns(available([DLT, DLT_FILES, *([DETECTIVE] if LARGE or SHORT else [])]), file, 1)
        rows += [*speed_rows(results, "conform and commit"), gate_row(results)]
        rows.append(memory_row(results, f"{SIZE >> 20} MB"))
        write_baac(file, HEAD, quoted=True)
        results = in_turns(available([ROCADE, DUCKDB, DLT, DLT_FILES, DETECTIVE]), file, RUNS)
        rows += speed_rows(results, f"conform and commit, {HEAD >> 20} MB")
        if LARGE:
            write_baac(file, 4 << 30, quoted=True)
            results = in_turns([GATED], file, 1)
            rows.append(memory_row(results, "4 GB"))
    report(rows)


if __name__ == "__main__":
    main()
