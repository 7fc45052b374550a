"""Settings of the Hertzsprung-Russell diagram."""

from __future__ import annotations

import json
import pickle
from dataclasses import asdict
from typing import Any

import pytest

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.hr_settings import HrSettings


def test_defaults_and_lists() -> None:
    """The paper's masses; lists of a job file or of JSON become tuples, and come back equal."""
    assert HrSettings().masses == (0.4, 0.8, 1.2, 2.0, 2.8)
    settings = HrSettings(tracks=["a/*.eep", "b.dat"], masses=[1, 2.5], zero_point=-0.02)  # type: ignore[arg-type]
    assert (settings.tracks, settings.masses) == (("a/*.eep", "b.dat"), (1, 2.5))
    assert HrSettings(**json.loads(json.dumps(asdict(settings)))) == settings
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert settings.of_parallaxes().zero_point == -0.02


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"extinction": "sfd"}, "extinction must be one of"),
        ({"extinction": "bh", "bayestar_file": "x"}, "makes no sense"),
        ({"bayestar_file": 1}, "bayestar_file must be a text"),
        ({"dust_height": 0}, "dust_height must be"),
        ({"dust_height": float("nan")}, "dust_height must be"),
        ({"least_parallax_snr": True}, "least_parallax_snr must be"),
        ({"zero_point": "none at all"}, "zero_point must be"),
        ({"zero_point_outside": 2.0}, "zero_point_outside must be"),
        ({"tracks": 3}, "tracks must be"),
        ({"tracks": ["a", 3]}, "tracks must be"),
        ({"masses": "0.4"}, "masses must be"),
        ({"masses": [0.4, -1.0]}, "masses must be"),
        ({"strips": None}, "strips must be"),
    ],
)
def test_values_that_make_no_sense(values: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        HrSettings(**values)
