from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time
from light_stars import numbers, quarter, sector, seen, star

from lkmrs_dask.synthetic.light_curves.classes import make_signal
from lkmrs_dask.synthetic.light_curves.curve import Curve, observe
from lkmrs_dask.synthetic.light_curves.fits_bytes import COLUMNS, header, table_bytes, value_text
from lkmrs_dask.synthetic.light_curves.headers import file_bytes, file_name
from lkmrs_dask.synthetic.light_curves.photometry import photometry
from lkmrs_dask.synthetic.light_curves.segments import Segment
from lkmrs_dask.synthetic.light_curves.signal import Source


def made(segment: Segment, **changes: Any) -> tuple[Source, Curve]:
    source = star(**changes)
    signal = make_signal(source, numbers(source), seen(source, segment))
    bright = photometry(segment.mission, source.g, source.bp_rp)
    return source, observe(source, signal, segment, bright, numbers(source))


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (True, True), (False, False), (12, 12), (-3, -3), (np.int64(5), 5), (1.5, 1.5), (1e-9, 1e-9),
        (np.float64(0.1), 0.1), ("it's", "it's"), ("", ""), ("longer than eight", "longer than eight"),
    ],
)  # fmt: skip
def test_values_are_read_as_they_were_written(value: Any, read: Any) -> None:
    card = fits.Card.fromstring(f"KEY     = {value_text(value)} / comment")
    card.verify("exception")
    assert card.value == read
    assert type(card.value) is type(read)


def test_none_is_undefined() -> None:
    assert isinstance(fits.Card.fromstring(f"KEY     = {value_text(None)} / x").value, fits.card.Undefined)


def test_keywords_without_value_are_undefined_and_long_values_refused() -> None:
    made_header = fits.Header.fromstring(header("k2_primary", {"KEPLERID": 201_000_002}))
    assert made_header["KEPLERID"] == 201_000_002
    assert made_header["GMAG"] is None
    with pytest.raises(ValueError, match="too long"):
        header("k2_primary", {"OBJECT": "x" * 90})


def test_tables_are_whole_blocks_in_the_order_of_the_columns() -> None:
    columns = {"TIME": np.array([1.5, np.nan]), "CADENCENO": np.array([7, 8]), "QUALITY": np.array([0, 4096])}
    data = table_bytes(columns | {"TIMECORR": np.zeros(2)})
    assert len(data) == 2880
    rows = np.frombuffer(data[:200], dtype=list(COLUMNS))
    assert rows["CADENCENO"].tolist() == [7, 8]
    assert rows["TIME"][0] == 1.5
    assert np.isnan(rows["SAP_FLUX"]).all()


@pytest.mark.parametrize("segment", [quarter(), sector()], ids=["kepler", "tess"])
def test_headers_agree_with_the_columns(segment: Segment) -> None:
    source, curve = made(segment, tic=67_768_220)
    with fits.open(io.BytesIO(file_bytes(source, curve))) as hdus:
        head, data, image = hdus[1].header, hdus[1].data, hdus[2].data
        assert head["NAXIS2"] == len(data) == segment.rows
        # One cadence from the first start to the last stop, besides those between their middles.
        start, stop = data["TIME"][np.isfinite(data["TIME"])][[0, -1]]
        assert head["TSTART"] == pytest.approx(start - head["TIMEDEL"] / 2, abs=1e-6)
        assert head["TSTOP"] == pytest.approx(stop + head["TIMEDEL"] / 2, abs=1e-6)
        assert head["TELAPSE"] == pytest.approx(head["TSTOP"] - head["TSTART"], abs=1e-6)
        # At the spacecraft: 10 min of light travel at most from the barycentre, and 69 s of TDB.
        begin = Time(head["DATE-OBS"].rstrip("Z"), format="isot", scale="utc")
        assert abs(begin.tdb.jd - (head["TSTART"] + head["BJDREFI"])) * 1440 < 10.0
        assert int((image & 2 > 0).sum()) == head_of_image(hdus)["NPIXSAP"]
        assert head["LIVETIME"] < head["TELAPSE"]
        assert 0.5 < np.nanmedian(data["SAP_FLUX"]) / np.nanmedian(data["PDCSAP_FLUX"]) < 1.1


def head_of_image(hdus: fits.HDUList) -> fits.Header:
    """Header of the aperture."""
    return hdus["APERTURE"].header


def test_names_are_those_of_the_archive() -> None:
    source, curve = made(quarter(), kic=757_076)
    assert file_name(source, curve) == "kplr000757076-2011177032512_llc.fits"
    source, curve = made(sector(), tic=67_768_222)
    assert file_name(source, curve) == "tess2021232031932-s0042-0000000067768222-0213-s_lc.fits"
