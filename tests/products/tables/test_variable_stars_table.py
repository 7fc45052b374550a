"""The list of periodic variables: a star by its frequencies, and one by its dips alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lkmrs_dask.pipeline.periodic import _with_origin
from lkmrs_dask.products.tables import write_paper_table
from lkmrs_dask.products.tables.variable_stars import variable_stars

KINDS = {"string": pa.string(), "int64": pa.int64(), "int32": pa.int32(), "float64": pa.float64()}


def rows(*stars: dict[str, Any]) -> pa.Table:
    """Stars with what they are given, and null for the rest."""
    columns = {one.source: KINDS[one.dtype] for one in variable_stars.columns}
    columns |= {"from_dips": pa.bool_(), "rule_class": pa.string()}
    del columns["class_from"]
    table = pa.Table.from_pylist(
        [{"ra": 290.0, "dec": 45.0} | star for star in stars], pa.schema(columns.items())
    )
    return _with_origin(table)


DIPS = {
    "uid": "G1",
    "variable_class": "EB",
    "rule_class": "EB",
    "from_dips": True,
    "period": 10.7,
    "n_peaks": 0,
}
PEAKS = {
    "uid": "G2", "variable_class": "DSCT", "rule_class": "DSCT", "from_dips": False, "period": 0.07,
    "amplitude_mag": 0.01, "snr_main": 12.0, "n_peaks": 3,
}  # fmt: skip


def test_what_a_class_rests_on() -> None:
    overruled = DIPS | {"variable_class": "rotation", "n_peaks": 3}
    unknown = {"variable_class": "EB"}
    unsure = DIPS | {"variable_class": "uncertain"}
    found = rows(DIPS, PEAKS, overruled, unknown, unsure, unsure | {"n_peaks": 4})
    assert found.column("class_from").to_pylist() == [
        "dips", "frequencies", "frequencies", "frequencies", "dips", "frequencies",
    ]  # fmt: skip


def test_a_list_of_stars_by_dips_alone(tmp_path: Path) -> None:
    """No amplitude and no signal-to-noise ratio in the whole column."""
    for name, stars in {"both": (DIPS, PEAKS), "dips": (DIPS,)}.items():
        folder = tmp_path / name
        folder.mkdir()
        write_paper_table(rows(*stars), variable_stars, folder)
        written = pq.read_table(folder / "periodic_variables.parquet").to_pylist()
        assert (written[0]["uid"], written[0]["From"]) == ("G1", "dips")
        assert written[0]["Period"] == 10.7
        assert written[0]["Amp"] is None
        assert "dips" in (folder / "periodic_variables.mrt").read_text()
