"""What ``lkmrs frequencies`` says to a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["RELATIVE", "frequency_lines"]

RELATIVE = "relative flux"
"""Unit of what was divided by its median."""

_ENDED = {"max_frequencies": " (as many as were asked for)"}


def frequency_lines(found: dict[str, Any]) -> Iterator[str]:
    """Lines about a light curve, of what `lkmrs_dask.pipeline.frequencies.frequencies_of` found."""
    files = found.get("files", [])
    who = f"{found.get('star')} ({len(files)} files)" if len(files) > 1 else found["file"]
    if "error" in found:
        error = found["error"]
        yield error if found["file"] in error else f"{found['file']}: {error}"
        return
    if "bands" in found:
        bands = ", ".join(f"{points:,} in {name}" for name, points in found["bands"].items())
        yield f"{who}: {bands}, over {found['baseline_d']:.2f} d"
        for name, points in found["bands_left_out"].items():
            yield f"    left out: band {name}, with {_points(points)}: two that can be used are needed"
        yield from _period_lines(found["best_period"])
        return
    rows = found["frequencies"]
    yield (
        f"{who}: {found['n_points']:,} points over {found['baseline_d']:.2f} d, "
        f"{len(rows)} frequencies{_ENDED.get(found['stopped_by'], '')}; noise: {found['noise_definition']}"
    )
    for one in found.get("left_out", ()):
        yield f"    left out: {one['file']}: {one['reason']}"
    if rows:
        unit = "ppt" if found["unit"] == RELATIVE else "1e-3"
        yield f"{'':>4} {'1/d':>11} {'+-':>9} {unit:>10} {'+-':>8} {'S/N':>8}"
    for number, row in enumerate(rows):
        error, amplitude = row["frequency_err"] or 0.0, row["amplitude"] * 1e3
        yield (
            f"{number:>4} {row['frequency']:>11.6f} {error:>9.6f} {amplitude:>10.4f} "
            f"{(row['amplitude_err'] or 0.0) * 1e3:>8.4f} {row['snr']:>8.1f}  {_about(row)}"
        ).rstrip()
    if "best_period" in found:
        yield from _period_lines(found["best_period"])
    if "figure" in found:
        yield f"    figure: {found['figure']}"


def _period_lines(best: dict[str, Any]) -> Iterator[str]:
    other = ""
    if best["other_period"]:
        other = (
            f"; next {best['other_period']:.6g} d ({best['other_power']:.3f}), "
            f"less likely by a factor e^{best['log_odds']:.1f}"
        )
    yield f"    best period {best['period']:.7g} d, {best['power']:.3f} of the variance{other}"
    if best["n_off"]:
        yield f"    left out: {_points(best['n_off'])}, off the band's median by 10 x the others' range"
    if best["weights"] == "equal":
        n = best["n_without_error"]
        yield f"    all points weigh the same: {_points(n)} {'has' if n == 1 else 'have'} no error above 0"
    elif best["n_without_error"]:
        yield f"    left out: {_points(best['n_without_error'])} without an error above 0"


def _points(n: int) -> str:
    return f"{n:,} point" + "s" * (n != 1)


def _about(row: dict[str, Any]) -> str:
    """Say what a frequency may be."""
    words = list(row["flags"])
    if row["harmonic_of"]:
        of = row["harmonic_of"]
        part = f"/{of['divisor']}" if of["divisor"] > 1 else ""
        words.insert(0, f"{of['multiple']}{part} x {of['row']}{' reflected' if of['reflected'] else ''}")
    if row["combination_of"]:
        words.insert(0, " + ".join(f"{one['factor']} x {one['row']}" for one in row["combination_of"]))
    return ", ".join(words)
