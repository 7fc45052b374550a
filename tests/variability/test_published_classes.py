"""Real stars with a published class, by the verdict of rules and model together, as a run gives it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from lkmrs_dask.readers.light_curves.reading import read_light_curve
from lkmrs_dask.readers.light_curves.stitching import stitch
from lkmrs_dask.readers.light_curves.table_format import TableFormat
from lkmrs_dask.variability import find_frequencies
from lkmrs_dask.variability.classifier import Classifier
from lkmrs_dask.variability.features import StarParameters, light_curve_features, peaks_of
from lkmrs_dask.variability.frequencies import INSTRUMENTAL
from lkmrs_dask.variability.partition_model import probabilities_of
from lkmrs_dask.variability.training import train_from, training_table
from lkmrs_dask.variability.training_stars import SyntheticSettings
from lkmrs_dask.variability.verdict import classes_by_rules, verdict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the first of them trains a classifier

MAGNITUDES = TableFormat(time=0, flux=1, unit="mag", zero=2400000.0, mission="Kepler")
STRONG = {"EB", "DSCT", "GDOR", "hybrid", "RG", "RRL", "RSCVn"}


class Star(NamedTuple):
    """Files, parameters and class of a star; several classes where any of them will do."""

    files: str
    mission: str
    wanted: set[str]
    parameters: StarParameters = StarParameters()
    table: TableFormat | None = None


# Parameters: of TESS stars and Kepler-90 from the files' headers, of KIC 5023948 of Villanova's list,
# of the pulsators rounded literature values (Murphy et al. 2013, 2014; Schmid et al. 2015; Nemec et al.
# 2017).
STARS = {
    "KIC 5023948": Star("lc_kepler_eb/*_llc.fits", "kepler", {"EB"}, StarParameters(6174.0)),
    "GJ 1243": Star("lc_kepler_rot/*_llc.fits", "kepler", {"rotation"}, StarParameters(3200.0, 5.0)),
    "HD 23157": Star("lc_tess_dsct/HD23157_*.fits", "tess", {"DSCT"}, StarParameters(7514.0, 4.0)),
    "HD 23607": Star("lc_tess_dsct/HD23607_*.fits", "tess", {"DSCT"}, StarParameters(8083.0, 4.44)),
    "KIC 11754974": Star(
        "lc_kepler_dsct/kic11754974_lc.txt", "kepler", {"DSCT"}, StarParameters(7000.0, 3.9), MAGNITUDES
    ),
    "KIC 9651065": Star(
        "lc_kepler_dsct/kic9651065_lc.txt", "kepler", {"DSCT"}, StarParameters(7010.0, 3.8), MAGNITUDES
    ),
    "KIC 10080943": Star(
        "lc_kepler_dsct/kic10080943_lc.txt", "kepler", {"hybrid"}, StarParameters(7100.0, 4.1), MAGNITUDES
    ),
    "KIC 6780873": Star(
        "lc_kepler_dsct/kic6780873_lc.txt", "kepler", {"hybrid"}, StarParameters(7200.0, 4.1), MAGNITUDES
    ),
    "Kepler-90": Star(
        "lc_kepler_planet/*_llc.fits", "kepler", {"", "rotation", "uncertain"}, StarParameters(5970.0, 4.317)
    ),
    "TIC 358108509, flares": Star("lc_tess/*_lc.fits", "tess", {"", "rotation", "uncertain"}),
    "EPIC 211099743, thrusters": Star("lc_k2/hlsp_k2sc_*.fits", "k2", {"", "rotation", "uncertain"}),
    "EPIC 211121743": Star("lc_k2/ktwo211121743-*.fits", "k2", {"", "rotation", "uncertain"}),
}


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """Of a few synthetic stars, as a run makes it; no real one."""
    return train_from(training_table(SyntheticSettings(per_class=25)))


@pytest.mark.parametrize("name", STARS)
def test_the_verdict_is_the_published_class(shared: Path, classifier: Classifier, name: str) -> None:
    star = STARS[name]
    paths = sorted((shared / "data").glob(star.files))
    assert paths
    curve = stitch([read_light_curve(path, table=star.table) for path in paths])
    found = find_frequencies(curve.time, curve.flux, mission=star.mission)
    peaks = peaks_of(found, leave_out=INSTRUMENTAL)
    features = light_curve_features(curve.time, curve.flux, peaks, star.parameters)[None, :]
    predicted = probabilities_of(classifier, features)
    judged = verdict(classes_by_rules(features), predicted, classifier.classes)
    told = (
        str(judged.variable_class[0]),
        float(np.nan_to_num(judged.confidence[0])),
        predicted.variable_class,
    )
    assert judged.variable_class[0] in star.wanted, told
