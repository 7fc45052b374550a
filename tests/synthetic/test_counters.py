"""Random numbers by address."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.errors import UsageError
from lkmrs_dask.synthetic.counters import Draws, Purpose, philox


def plain_philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10 as in the paper, with Python's integers."""
    for _ in range(10):
        product0, product1 = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = [
            (product1 >> 32) ^ counter[1] ^ key[0],
            product1 % 2**32,
            (product0 >> 32) ^ counter[3] ^ key[1],
            product0 % 2**32,
        ]
        key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
    return counter


def vectorised(counter: list[int], key: list[int]) -> list[int]:
    c0, c1, c2, c3 = counter
    return [int(word) for word in philox((c0, c1, c2, c3), (key[0], key[1]))]


# Known answers that come with Random123, the authors' own code (kat_vectors, philox4x32 10).
KNOWN = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([2**32 - 1] * 4, [2**32 - 1] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_known_answers(counter: list[int], key: list[int], words: list[int]) -> None:
    assert plain_philox(counter, key) == words
    assert vectorised(counter, key) == words


words = st.integers(0, 2**32 - 1)


@given(st.lists(words, min_size=4, max_size=4), st.lists(words, min_size=2, max_size=2))
@settings(max_examples=50)
def test_equals_plain_philox(counter: list[int], key: list[int]) -> None:
    assert vectorised(counter, key) == plain_philox(counter, key)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), words)
@settings(max_examples=50)
def test_uniform_is_a_function_of_its_address(seed: int, star: int, item: int) -> None:
    first, second, *_ = plain_philox(
        [star % 2**32, star >> 32, item, int(Purpose.TEFF)], [seed % 2**32, seed >> 32]
    )
    value = Draws(seed).uniform(Purpose.TEFF, np.array([star], np.uint64), item)[0]
    # 52 bits of 64, at the middle of their step: half a step of tolerance, 2**-53.
    assert abs(value - (first * 2**32 + second) / 2**64) <= 2**-53
    assert 0 < value < 1


def test_split_and_order_do_not_matter() -> None:
    draws, star = Draws(5), np.arange(40_000)  # more than a block
    whole = draws.normal(Purpose.PIXEL, star, 3)
    back = draws.normal(Purpose.PIXEL, star[::-1], 3)[::-1]
    parts = [draws.normal(Purpose.PIXEL, star[k : k + 7001], 3) for k in range(0, len(star), 7001)]
    assert np.array_equal(whole, back)
    assert np.array_equal(whole, np.concatenate(parts))
    table = draws.normal(Purpose.PIXEL, star[:50, None], np.arange(5))
    assert table.shape == (50, 5)
    assert np.array_equal(table[:, 3], whole[:50])


def test_seed_purpose_star_and_item_all_count() -> None:
    base = Draws(1).uniform(Purpose.TEFF, 1, 1)
    others = [
        Draws(2).uniform(Purpose.TEFF, 1, 1),
        Draws(1 + (1 << 32)).uniform(Purpose.TEFF, 1, 1),
        Draws(1).uniform(Purpose.LOGG, 1, 1),
        Draws(1).uniform(Purpose.TEFF, 2, 1),
        Draws(1).uniform(Purpose.TEFF, 1 + (1 << 32), 1),
        Draws(1).uniform(Purpose.TEFF, 1, 2),
    ]
    assert len({float(base), *(float(other) for other in others)}) == 7


def test_distributions() -> None:
    n = 200_000
    uniform = Draws(3).uniform(Purpose.TEFF, np.arange(n))
    normal = Draws(3).normal(Purpose.TEFF, 0, np.arange(n))
    # Standard errors: 1/sqrt(12 n) and 1/sqrt(n) of means, sqrt(2/n) of the variance; five of them.
    assert abs(uniform.mean() - 0.5) < 5 / np.sqrt(12 * n)
    assert abs(normal.mean()) < 5 / np.sqrt(n)
    assert abs(normal.var() - 1) < 5 * np.sqrt(2 / n)
    assert abs((normal**3).mean()) < 5 * np.sqrt(15 / n)
    assert abs((normal**4).mean() - 3) < 5 * np.sqrt(96 / n)
    # Kolmogorov-Smirnov: 1.95 / sqrt(n) is passed once in a thousand.
    ranks = (np.arange(n) + 0.5) / n
    assert np.abs(np.sort(uniform) - ranks).max() < 1.95 / np.sqrt(n) + 0.5 / n
    # Neighbours are independent.
    assert abs(np.corrcoef(uniform[:-1], uniform[1:])[0, 1]) < 5 / np.sqrt(n)


def test_no_address_and_purposes_are_distinct() -> None:
    assert len(Draws(1).uniform(Purpose.TEFF, np.empty(0, np.int64))) == 0
    assert len({int(purpose) for purpose in Purpose.__members__.values()}) == len(Purpose.__members__)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seed_out_of_range(seed: int) -> None:
    with pytest.raises(UsageError, match="seed"):
        Draws(seed)
