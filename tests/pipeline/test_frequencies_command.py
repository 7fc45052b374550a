"""`lkmrs frequencies` on files on disk."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from lkmrs_dask.cli import main


@pytest.fixture
def curve(tmp_path: Path) -> Path:
    """Ten millimagnitudes at 7.5 a day, and a weaker one, over thirty days."""
    rng = np.random.default_rng(1)
    time = 55_000.0 + np.sort(rng.uniform(0, 30, 1500))
    mag = (
        0.010 * np.sin(2 * np.pi * 7.5 * time)
        + 0.004 * np.sin(2 * np.pi * 3.21 * time)
        + rng.normal(0, 1e-3, 1500)
    )
    path = tmp_path / "star.txt"
    path.write_text("# time mag\n" + "".join(f"{t:.6f} {m:.6f}\n" for t, m in zip(time, mag, strict=True)))
    return path


def test_frequencies_as_json(curve: Path) -> None:
    """The errors of the frequencies are some 1e-4 a day."""
    done = CliRunner().invoke(main, ["frequencies", str(curve), "--json"])
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.output)
    assert found["n_points"] == 1500
    assert {"file", "baseline_d", "noise_definition"} <= found.keys()
    rows = found["frequencies"]
    assert [row["frequency"] for row in rows[:2]] == pytest.approx([7.5, 3.21], abs=1e-3)
    assert rows[0]["snr"] > rows[1]["snr"] > 5.6
    names = {"frequency", "frequency_err", "amplitude", "amplitude_err", "phase", "snr", "harmonic_of"}
    assert names | {"combination_of"} <= rows[0].keys()


def test_a_file_that_cannot_be_used_is_told_and_the_others_are_done(curve: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["frequencies", str(tmp_path / "none.txt"), str(curve)])
    assert done.exit_code == 1
    assert "none.txt" in done.output
    assert re.search(r" 7\.(49|50)", done.output)


def test_a_table_without_a_header_has_a_unit_of_its_own(curve: Path) -> None:
    lines = curve.read_text().splitlines()[1:]
    curve.write_text("\n".join(lines) + "\n")
    done = CliRunner().invoke(main, ["frequencies", str(curve), "--json", "--most", "1"])
    (found,) = json.loads(done.output)
    assert found["unit"] == "as in the file"
    assert found["frequencies"][0]["amplitude"] == pytest.approx(0.010, rel=0.02)
