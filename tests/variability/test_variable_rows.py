"""From light curves to variables: eclipses too rare for a frequency, with a trained model and without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from lkmrs_dask.readers.light_curves.curve import LightCurve
from lkmrs_dask.readers.light_curves.rows import to_table
from lkmrs_dask.variability.classifier import Classifier, ClassifierSettings, train
from lkmrs_dask.variability.dips import DipSettings
from lkmrs_dask.variability.feature_names import FEATURE_NAMES, INDEX
from lkmrs_dask.variability.features import StarParameters
from lkmrs_dask.variability.frequency_table import frequency_rows
from lkmrs_dask.variability.variable_table import VARIABLES, VariableSettings, variable_rows

Floats = NDArray[np.float64]

PERIOD, ZERO, SECOND = 10.7, 2.9, 0.38


def dips(time: Floats, depth: float, second: float) -> Floats:
    """Half ellipses of five hours, of two depths."""
    flux = np.ones(len(time))
    for deep, phase in ((depth, 0.0), (second, SECOND)):
        away = np.abs((time - ZERO - phase * PERIOD + 0.5 * PERIOD) % PERIOD - 0.5 * PERIOD)
        flux -= deep * np.sqrt(np.clip(1.0 - (away / 0.1) ** 2, 0.0, None))
    return flux


def sector(tic: int, flux: Floats, time: Floats) -> LightCurve:
    random = np.random.default_rng(tic)
    noisy = 1e4 * flux + random.normal(0.0, 60.0, len(time))
    return LightCurve(
        2458700.0 + time, noisy, np.full(len(time), 60.0), np.zeros(len(time), np.int32), "e-/s",
        mission="TESS", target_id=tic, name=f"TIC {tic}", ra=290.0 + 0.1 * (tic % 10), dec=45.0,
        segment=14, exptime=120.0, author="SPOC", product="PDCSAP_FLUX", source_file=f"{tic}.fits",
    )  # fmt: skip


TIME: Floats = np.arange(0.0, 25.0, 2.0 / 1440.0)
STARS = {
    "rare": dips(TIME, 0.12, 0.05),
    "constant": np.ones(len(TIME)),
    "planet": dips(TIME, 0.012, 0.0),
    "pulsator": 1.0 + 0.01 * np.sin(2 * np.pi * 14.3 * TIME) + 0.006 * np.sin(2 * np.pi * 17.9 * TIME),
    "pulsating binary": dips(TIME, 0.12, 0.05) + 0.004 * np.sin(2 * np.pi * 14.3 * TIME),
    "broken": np.full(len(TIME), np.nan),
}
KNOWN = {
    "rare": StarParameters(5800.0, 4.4, 4.7, 40.0),
    "planet": StarParameters(5800.0, 4.4, 4.7, 0.2),
    "pulsator": StarParameters(7500.0, 4.0, 2.0, 3.0),
    "pulsating binary": StarParameters(7500.0, 4.0, 2.0, 0.5),
}


@pytest.fixture(scope="module")
def light_curves() -> pa.Table:
    curves = [sector(100 + at, flux, TIME) for at, flux in enumerate(STARS.values())]
    table = to_table(curves)
    names = {f"TIC {100 + at}": name for at, name in enumerate(STARS)}
    ids = pa.array([names[one] for one in table.column("name").to_pylist()])
    return table.set_column(table.column_names.index("star_id"), "star_id", ids)


@pytest.fixture(scope="module")
def frequencies(light_curves: pa.Table) -> pa.Table:
    return frequency_rows(light_curves)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """Of stars of chance: what it says does not matter, only whether it is asked."""
    rng = np.random.default_rng(1)
    labels = np.array(["DSCT", "EB"])[np.arange(60) % 2]
    features = rng.normal(size=(60, len(FEATURE_NAMES)))
    features[:, INDEX["dip_depth"]] += 6.0 * (labels == "EB")
    features[:, INDEX["n_peaks"]] = 3.0
    return train(features, labels, ClassifierSettings(trees=10, folds=2))


def rows_of(table: pa.Table) -> dict[str, dict[str, Any]]:
    assert table.schema.names == list(VARIABLES.names)
    return {row["star_id"]: row for row in table.to_pylist()}


@pytest.mark.parametrize("trained", [False, True])
def test_rare_eclipses_have_a_class_and_a_period(
    light_curves: pa.Table, frequencies: pa.Table, classifier: Classifier, trained: bool
) -> None:
    found = variable_rows(frequencies, light_curves, KNOWN, classifier=classifier if trained else None)
    row = rows_of(found)["rare"]
    assert row["n_peaks"] == 0.0
    assert (row["variable_class"], row["rule_class"], row["from_dips"], row["best"]) == (
        "EB",
        "EB",
        True,
        True,
    )
    assert row["confidence"] == row["rule_score"] >= 0.7
    # The model needs frequencies, so that there is nothing to agree with.
    assert (row["model_class"], row["agree"], row["p_EB"]) == (None, None, None)
    # Times of eclipses of 144 points of S/N 20 each are good to some minutes.
    assert row["period"] == row["dips_period"] == pytest.approx(PERIOD, abs=0.02)
    assert row["dips_certain"]
    assert row["n_dips"] == 5
    assert row["dips_time"] == pytest.approx(2458700.0 + ZERO, abs=0.01)
    assert row["dips_depth"] == pytest.approx(120.0, rel=0.1)
    assert row["dips_depth_2"] == pytest.approx(50.0, rel=0.1)
    assert "dips" in row["rule_reasons"]


@pytest.mark.parametrize("trained", [False, True])
def test_others_are_as_they_were(
    light_curves: pa.Table, frequencies: pa.Table, classifier: Classifier, trained: bool
) -> None:
    rows = rows_of(
        variable_rows(frequencies, light_curves, KNOWN, classifier=classifier if trained else None)
    )
    for name in ("constant", "planet"):
        assert (rows[name]["variable_class"], rows[name]["rule_class"], rows[name]["best"]) == (
            None,
            None,
            False,
        )
        assert (rows[name]["from_dips"], rows[name]["period"]) == (False, None)
    assert rows["constant"]["n_dips"] == 0
    assert rows["constant"]["dips_significance"] is None
    assert (rows["planet"]["n_dips"], rows["planet"]["dips_certain"]) == (3, True)
    assert rows["planet"]["dips_depth"] == pytest.approx(12.0, rel=0.15)
    assert (rows["pulsator"]["rule_class"], rows["pulsator"]["from_dips"]) == ("DSCT", False)
    assert rows["broken"]["problem"] is not None
    assert (rows["broken"]["from_dips"], rows["broken"]["n_dips"]) == (None, None)


@pytest.mark.parametrize("trained", [False, True])
def test_a_binary_that_pulsates_is_a_binary(
    light_curves: pa.Table, frequencies: pa.Table, classifier: Classifier, trained: bool
) -> None:
    """Frequencies alone make a delta Sct star of it, or one of several regimes."""
    found = variable_rows(frequencies, light_curves, KNOWN, classifier=classifier if trained else None)
    row = rows_of(found)["pulsating binary"]
    assert row["n_peaks"] > 0
    assert (row["variable_class"], row["rule_class"], row["from_dips"]) == ("EB", "EB", True)
    # The weight of the rules is 0.55: surer than the model can be of anything else.
    assert row["confidence"] > 0.5
    assert row["period"] == row["dips_period"] == pytest.approx(PERIOD, abs=0.02)


def test_settings_reach_the_search(light_curves: pa.Table, frequencies: pa.Table) -> None:
    deaf = VariableSettings(dips=DipSettings(least_snr=5000.0))
    assert rows_of(variable_rows(frequencies, light_curves, KNOWN, deaf))["rare"]["variable_class"] is None
