from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from light_stars import DRAWS

from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.light_curves.events import BITS, events
from lkmrs_dask.synthetic.light_curves.segments import Segment, segments

ALL = [one for mission in ("kepler", "k2", "tess") for one in segments(mission)]


@pytest.mark.parametrize("segment", ALL, ids=lambda one: f"{one.mission}{one.number}")
def test_gaps_hold_no_flux_and_most_cadences_are_good(segment: Segment) -> None:
    made = events(segment, DRAWS)
    assert (made.no_sap | ~made.no_time).all()
    assert (made.no_pdc | ~made.no_sap).all()
    assert made.quality[made.no_time].all()
    assert 0.80 < 1.0 - made.no_pdc.mean() < 0.99
    assert np.isfinite(made.column).all()
    assert ((made.warming >= 0) & (made.warming <= 1)).all()


def test_another_seed_is_another_mission() -> None:
    assert (events(ALL[0], DRAWS).quality != events(ALL[0], Draws(4)).quality).any()


def test_thrusters_fire_four_times_a_day_and_move_the_star() -> None:
    segment = segments("k2")[4]
    made = events(segment, DRAWS)
    power = np.abs(np.fft.rfft(made.column - made.column.mean())) ** 2
    frequency = np.fft.rfftfreq(segment.rows, 0.02043359821692)
    above = frequency > 1.0
    assert frequency[above][np.argmax(power[above])] == pytest.approx(4.08, abs=0.02)
    fired = np.flatnonzero(made.quality & BITS["kepler"]["thruster"])
    assert len(fired) > 100
    assert (np.diff(fired) % 12 == 0).all()


def test_a_sector_has_a_gap_in_the_middle() -> None:
    segment = segments("tess")[4]
    gap = np.flatnonzero(events(segment, DRAWS).no_time)
    assert (np.diff(gap) == 1).all()
    assert 0.4 < gap.mean() / segment.rows < 0.6
    assert 0.5 < len(gap) / 720 < 1.5


@pytest.mark.parametrize(
    ("folder", "name", "mission", "number"),
    [
        ("lc_kepler_eb", "kplr005023948-2012179063303_llc.fits", "kepler", 13),
        ("lc_k2", "ktwo211121743-c04_llc.fits", "k2", 4),
        ("lc_tess_dsct", "HD23157_tess2021232031932-s0042-0000000067768222-0213-s_lc.fits", "tess", 42),
    ],
)
def test_bits_are_those_of_released_files(
    shared: Path, folder: str, name: str, mission: str, number: int
) -> None:
    with fits.open(shared / "data" / folder / name) as hdus:
        data = hdus[1].data
    real = data["QUALITY" if mission == "tess" else "SAP_QUALITY"]
    (segment,) = [one for one in segments(mission) if one.number == number]
    happened = events(segment, DRAWS)
    made = happened.quality
    # What marks a gap, what is set outside of gaps, and how common flagged cadences are.
    in_gap = set(real[np.isnan(data["TIME"])].tolist())
    assert set(made[happened.no_time].tolist()) <= in_gap
    assert not (made & ~np.bitwise_or.reduce(real)).any()
    assert 0.3 < (made != 0).mean() / (real != 0).mean() < 3.0
