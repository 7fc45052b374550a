"""Summaries of deviations: against counting row by row, and the same bits however they are merged."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.schema import PARAMETERS
from lkmrs_dask.stars.error_settings import ErrorLawSettings
from lkmrs_dask.stars.error_summary import (
    DEVIATION_COLUMNS,
    FIXED,
    FIXED_PAIRS,
    SCALES,
    SNR_EDGES,
    DeviationSummary,
    ParameterSummary,
    deviation_edges,
    merge,
    summarise_deviations,
)

SCHEMA = pa.schema([("star_id", pa.string()), *((name, pa.float64()) for name in DEVIATION_COLUMNS[1:])])
Row = dict[str, Any]


def survey(stars: int, seed: int = 0) -> pa.Table:
    """Stars with 1 to 9 spectra of S/N 3 to 300 and some missing values; one in ten has an orbit."""
    rng = np.random.default_rng(seed)
    number = rng.integers(1, 10, stars)
    star = np.repeat(np.arange(stars), number)
    snr = np.exp(rng.uniform(np.log(3), np.log(300), len(star)))
    columns: dict[str, Any] = {"star_id": [f"G{s:06d}" for s in star], "snr": snr}
    for name in PARAMETERS:
        values = 50 * SCALES[name] * rng.normal(size=len(star)) / np.sqrt(snr)
        columns[name] = np.where(rng.random(len(star)) < 0.9, values, np.nan)
    columns["rv"] = columns["rv"] + np.where(star % 10 == 0, 40 * rng.normal(size=len(star)), 0)
    columns["rv_err"] = np.full(len(star), 1.0)
    columns["snr"] = np.where(rng.random(len(star)) < 0.98, snr, -1.0)
    return pa.table(columns)


def by_hand(rows: list[Row], name: str, how: ErrorLawSettings) -> dict[str, Any]:
    """Sums of one parameter by loops; matrices from the definition, pair by pair."""
    stars: dict[str, list[Row]] = {}
    for row in rows:
        stars.setdefault(row["star_id"], []).append(row)
    out: dict[str, Any] = {
        "counts": Counter(), "left_out": Counter(), "n_stars": 0, "freedom": Counter(), "log_snr": Counter(),
        "mixing": Counter(), "common": Counter(), "nearest": math.inf,
    }  # fmt: skip
    for mine in stars.values():
        good = [r for r in mine if r[name] is not None and math.isfinite(r[name])]
        weighed = [r for r in good if (r["snr"] or 0) > 0 and math.isfinite(r["snr"])]
        out["left_out"]["no_snr"] += len(good) - len(weighed)
        if len(weighed) < 2:
            out["left_out"]["single"] += len(weighed)
            continue
        w = np.array([r["snr"] ** 2 for r in weighed])
        h = w / w.sum()
        values = np.array([r[name] for r in weighed])
        n = len(values)
        if name == "rv":
            pairs = [(r["rv"], r["rv_err"]) for r in mine if r["rv"] is not None and r["rv_err"] is not None]
            v, e = np.array([p for p in pairs if math.isfinite(p[0]) and p[1] > 0]).reshape(-1, 2).T
            varies = len(v) >= 2 and np.std(v, ddof=1) > 3 * e.mean()
        f2 = 1 / (1 - h) if how.factor == "leverage" else np.full(n, n / (n - 1))
        matrix = np.sqrt(f2)[:, None] * (np.eye(n) - h[None, :])
        deviation = np.sqrt(f2) * (values - (h * values).sum())
        snr_bin = [int(np.searchsorted(SNR_EDGES, r["snr"], side="right")) for r in weighed]
        # Of the deviations where errors go as 1/S/N, for their correlations.
        covariance = matrix @ np.diag(1 / w) @ matrix.T
        counted = []
        for k, row in enumerate(weighed):
            if row["snr"] < how.min_snr:
                out["left_out"]["low_snr"] += 1
            elif name == "rv" and varies:
                out["left_out"]["rv_variable"] += 1
            else:
                counted.append(k)
        out["n_stars"] += bool(counted)
        for k in counted:
            at = int(np.searchsorted(deviation_edges(name), deviation[k], side="right"))
            away = float(np.abs(deviation_edges(name) - deviation[k]).min())
            out["nearest"] = min(out["nearest"], away)
            out["counts"][snr_bin[k], at] += 1
            out["freedom"][snr_bin[k]] += 1 - h[k]
            out["log_snr"][snr_bin[k]] += math.log(weighed[k]["snr"])
            for j in range(n):
                out["mixing"][snr_bin[k], snr_bin[j]] += matrix[k, j] ** 2
                bins = (snr_bin[k] + 1) // 2, (snr_bin[j] + 1) // 2
                if j in counted and j != k:
                    out["common"][bins] += covariance[k, j] ** 2 / covariance[k, k] / covariance[j, j]
    return out


def same(found: ParameterSummary, expected: dict[str, Any]) -> None:
    """Counts exactly; sums to the rounding of their terms, half a part of FIXED each."""
    assert {key: int(found.counts[key]) for key in zip(*np.nonzero(found.counts), strict=True)} == dict(
        expected["counts"]
    )
    assert found.n_spectra == sum(expected["counts"].values())
    assert found.n_stars == expected["n_stars"]
    assert dict(found.left_out) == {why: n for why, n in expected["left_out"].items() if n}
    for name in ("freedom", "log_snr", "mixing", "common"):
        array = getattr(found, name)
        dense = np.zeros(array.shape)
        for key, value in expected[name].items():
            dense[key] = value
        terms = max(1, found.n_spectra) ** 0.5 * 4
        fixed = FIXED if array.ndim == 1 else FIXED_PAIRS
        np.testing.assert_allclose(array / fixed, dense, atol=terms / fixed, rtol=1e-6)


@pytest.mark.parametrize(
    "how",
    [
        ErrorLawSettings(),
        ErrorLawSettings(factor="leverage"),
        ErrorLawSettings(factor="leverage", min_snr=12.0),
    ],
    ids=["paper", "leverage", "least S/N"],
)
def test_against_counting(how: ErrorLawSettings) -> None:
    table = survey(150)
    rows = table.to_pylist()
    summary = summarise_deviations(table, how)
    assert list(summary.parameters) == list(PARAMETERS)
    for name, found in summary.parameters.items():
        same(found, by_hand(rows, name, how))
    assert summary.parameters["rv"].left_out["rv_variable"] > 20


values = st.none() | st.floats(-500, 500) | st.just(math.nan)
row_of_star = st.fixed_dictionaries(
    {
        "star_id": st.sampled_from(["a", "b", "c"]),
        "snr": st.none() | st.floats(2, 400) | st.sampled_from([0.0, -3.0, math.nan]),
        "teff": values,
        "rv": values,
        "rv_err": st.none() | st.floats(0.1, 100),
    }
)


@given(rows=st.lists(row_of_star, max_size=20))
@settings(max_examples=80, deadline=None)
def test_any_rows(rows: list[Row]) -> None:
    """Stars mixed, nulls and NaN everywhere, columns missing: counted or left out with a reason."""
    table = pa.Table.from_pylist(
        rows, schema=pa.schema([SCHEMA.field(n) for n in ("star_id", "snr", "teff", "rv", "rv_err")])
    )
    summary = summarise_deviations(table)
    for name in ("teff", "rv"):
        one = summary.parameters[name]
        measured = sum(r[name] is not None and math.isfinite(r[name]) for r in rows)
        assert one.n_spectra + sum(one.left_out.values()) == measured
    grouped = sorted(rows, key=lambda r: r["star_id"])
    expected = by_hand(grouped, "teff", ErrorLawSettings())
    # Of equal values the deviations are rounding, which may have either sign.
    assume(expected["nearest"] > 1e-9)
    same(summary.parameters["teff"], expected)
    assert summary.parameters["vsini"].n_spectra == 0


@pytest.mark.parametrize(
    "group",
    [
        lambda star, rng: np.arange(len(star)),
        lambda star, rng: rng.permutation(len(star)),
        lambda star, rng: rng.integers(0, 100, len(star)),
        lambda star, rng: rng.integers(0, 3, len(star)),
    ],
    ids=["a star each", "a star each, shuffled", "100 parts", "3 parts"],
)
def test_any_partition_gives_the_same_bits(
    group: Callable[[list[str], np.random.Generator], np.ndarray],
) -> None:
    table = survey(200, seed=3)
    how = ErrorLawSettings(factor="leverage")
    whole = json.dumps(summarise_deviations(table, how).as_json())
    names = table.column("star_id").to_pylist()
    stars = sorted(set(names))
    of_star = dict(zip(stars, group(stars, np.random.default_rng(5)).tolist(), strict=True))
    part = np.array([of_star[name] for name in names])
    parts = [summarise_deviations(table.filter(pa.array(part == k)), how) for k in np.unique(part)]
    # Through JSON, merged by pairs of pairs, in another order.
    parts = [DeviationSummary.from_json(json.loads(json.dumps(one.as_json()))) for one in parts][::-1]
    while len(parts) > 1:
        parts = [merge(parts[k : k + 7]) for k in range(0, len(parts), 7)]
    assert json.dumps(parts[0].as_json()) == whole


def test_size_in_a_receipt() -> None:
    """Tens of kB, for some ten thousand spectra."""
    text = json.dumps(summarise_deviations(survey(2000)).as_json())
    assert len(text) < 60_000


def test_far_out_and_at_the_ends() -> None:
    """Deviations and S/N beyond the bins fall into the open ones."""
    table = pa.table(
        {"star_id": ["a"] * 2 + ["b"] * 2, "snr": [0.5, 0.5, 5000.0, 5000.0], "rv": [-1e9, 1e9, 1.0, 1.0]}
    )
    one = summarise_deviations(table).parameters["rv"]
    assert (one.counts[0, 0], one.counts[0, -1]) == (1, 1)
    assert one.counts[-1].sum() == 2
    # A deviation of exactly 0 is in the bin that begins there.
    assert one.counts[-1, np.searchsorted(deviation_edges("rv"), 0.0, side="right")] == 2


def test_nothing() -> None:
    nothing = summarise_deviations(SCHEMA.empty_table())
    assert json.dumps(nothing.as_json()) == json.dumps(merge([]).as_json())
    assert {one.n_spectra for one in nothing.parameters.values()} == {0}
    alone = summarise_deviations(pa.table({"star_id": ["a"], "snr": [10.0], "teff": [5000.0]}))
    assert alone.parameters["teff"].n_spectra == 0
    assert alone.parameters["teff"].left_out == {"single": 1}
    assert alone.parameters["logg"].left_out == {}


@pytest.mark.parametrize("factor", ["paper", "leverage"])
def test_a_spectrum_that_outweighs_all(factor: str) -> None:
    table = pa.table({"star_id": ["a", "a"], "snr": [1.0, 900.0 * 1000], "teff": [5000.0, 5100.0]})
    found = summarise_deviations(table, ErrorLawSettings(factor=factor)).parameters["teff"]
    assert dict(found.left_out) == {"outweighs": 1}
    assert found.n_spectra == 1


@pytest.mark.parametrize("factor", ["paper", "leverage"])
@pytest.mark.parametrize("odd", [1e-30, 1e-9, 1e-7, 1e-3, 1e4, 1e12, 1e38])
def test_absurd_ratios_of_weights(factor: str, odd: float) -> None:
    """Squares of correlations are from 0 to 1 for each pair, however unequal the weights are."""
    table = pa.table(
        {"star_id": ["a"] * 4, "snr": [50.0, odd, odd, odd], "teff": [5000.0, 5100.0, 4900.0, 5020.0]}
    )
    found = summarise_deviations(table, ErrorLawSettings(factor=factor)).parameters["teff"]
    assert found.n_spectra + sum(found.left_out.values()) == 4
    assert found.common.min() >= 0
    assert found.common.sum() <= 12 * FIXED_PAIRS
    # A mean square of a deviation is at most f**2 times all sigma**2, with f**2 = 1 / (1 - h) up to 1e6.
    assert found.mixing.min() >= 0
    assert found.mixing.max() < 4 * 2 * FIXED_PAIRS


def test_rows_without_a_star() -> None:
    with pytest.raises(CatalogError, match="1 rows have no star_id"):
        summarise_deviations(pa.table({"star_id": ["a", None], "snr": [1.0, 2.0]}))


def test_summaries_that_do_not_fit() -> None:
    one, other = (summarise_deviations(survey(5), ErrorLawSettings(min_snr=s)) for s in (0.0, 10.0))
    with pytest.raises(CatalogError, match="differ in settings"):
        merge([one, other])
    good = one.as_json()
    teff = good["parameters"]["teff"]
    broken: dict[str, Any]
    for broken in (
        {},
        {"parameters": {}},
        {**good, "parameters": {"teff": {}}},
        {**good, "parameters": {"teff": teff | {"counts": "xyz"}}},
        {**good, "parameters": {"teff": teff | {"counts": teff["mixing"]}}},
    ):
        with pytest.raises(CatalogError, match="not a summary of deviations"):
            DeviationSummary.from_json(broken)


@pytest.mark.parametrize(
    "wrong",
    [
        {"clip": "none"}, {"factor": "root"}, {"rounds": -1}, {"rounds": 2.0}, {"n_sigma": 0.5},
        {"n_sigma": math.nan}, {"min_snr": -1.0}, {"least_spectra": 4}, {"rv_n_sigma": 0.0}, {"rv_ddof": 2},
        {"rv_least_n": 1}, {"corrected": 1}, {"clip": None},
    ],
)  # fmt: skip
def test_wrong_settings(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(UsageError, match=name):
        ErrorLawSettings(**wrong)


@pytest.mark.parametrize(("n_sigma", "rounds"), [(1.0, 3), (1.5, 1), (2.0, 3), (2.2, 3), (2.2, 100)])
def test_too_close_a_cut_to_be_corrected(n_sigma: float, rounds: int) -> None:
    """A normal distribution is cut at less than 2 sigma in the end: no bin of S/N could be used."""
    with pytest.raises(UsageError, match=rf"n_sigma = {n_sigma:g} with {rounds} rounds cuts .* at [01]\."):
        ErrorLawSettings(clip="bins", corrected=True, n_sigma=n_sigma, rounds=rounds)
    ErrorLawSettings(clip="bins", n_sigma=n_sigma, rounds=rounds)
    ErrorLawSettings(clip="bins", corrected=True, n_sigma=n_sigma, rounds=0)
    ErrorLawSettings(clip="bins", corrected=True, n_sigma=2.5, rounds=100)


def test_settings_may_be_whole_numbers() -> None:
    """A TOML job may say 3 for 3.0."""
    assert ErrorLawSettings(n_sigma=3, min_snr=5).of_rows() == {
        "factor": "paper", "min_snr": 5, "rv_n_sigma": 3.0, "rv_ddof": 1, "rv_least_n": 2
    }  # fmt: skip
