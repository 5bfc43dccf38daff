"""Functions that sql/ may call beside DuckDB's own: H3 cells, vectorised over Arrow.

Any engine that runs sql/ registers functions of these names. Coordinates are WGS 84 degrees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h3ronpy
import pyarrow as pa
import pyarrow.compute as pc
from duckdb.func import FunctionNullHandling, PythonUDFType
from h3ronpy.vector import cells_to_coordinates, coordinates_to_cells

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb


def register(con: duckdb.DuckDBPyConnection) -> None:
    """Make ``h3_cell(latitude, longitude, resolution)``, ``h3_latitude(cell)`` and ``h3_longitude(cell)`` known."""
    _register(con, "h3_cell", _h3_cell, ["double", "double", "integer"], "varchar")
    _register(con, "h3_latitude", _h3_latitude, ["varchar"], "double")
    _register(con, "h3_longitude", _h3_longitude, ["varchar"], "double")


def _register(
    con: duckdb.DuckDBPyConnection, name: str, function: Callable[..., Any], arguments: list[Any], result: str
) -> None:
    con.create_function(
        name, function, arguments, result, type=PythonUDFType.ARROW, null_handling=FunctionNullHandling.SPECIAL
    )


def _h3_cell(latitude: Any, longitude: Any, resolution: Any) -> pa.Array:
    """Cells as lower-case hex text; null where a coordinate is missing or not on the globe."""
    latitude, longitude, resolution = _flat(latitude), _flat(longitude), _flat(resolution)
    valid = pc.and_(
        pc.less_equal(pc.abs(latitude), 90.0),
        pc.less_equal(pc.abs(longitude), 180.0),
    )
    cells = coordinates_to_cells(
        pc.if_else(valid, latitude, None), pc.if_else(valid, longitude, None), resolution.cast(pa.uint8())
    )
    return pa.array(h3ronpy.cells_to_string(cells)).cast(pa.string())


def _h3_latitude(cell: Any) -> pa.Array:
    return _centre(cell, "lat")


def _h3_longitude(cell: Any) -> pa.Array:
    return _centre(cell, "lng")


def _centre(cell: Any, column: str) -> pa.Array:
    cells = h3ronpy.cells_parse(_flat(cell))
    return pa.record_batch(cells_to_coordinates(cells)).column(column)


def _flat(column: Any) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
