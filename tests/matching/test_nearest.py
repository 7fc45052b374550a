"""Keeping the nearest of pairs that come in pieces, against sorting all of them at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.matching import nearest
from lkmrs_dask.matching.nearest import Chosen, Counterparts
from lkmrs_dask.matching.pairs import Pairs

Row = tuple[int, int, int, float]


def plain(pairs: list[Row], most: int | None, ids: dict[tuple[int, int], int]) -> list[Row]:
    chosen: list[Row] = []
    for left in sorted({pair[0] for pair in pairs}):
        own = sorted((p for p in pairs if p[0] == left), key=lambda p: (p[3], ids[p[1], p[2]], p[1], p[2]))
        chosen += own[:most]
    return chosen


@given(
    n_left=st.integers(1, 6), n_right=st.integers(1, 12), pieces=st.integers(1, 4), share=st.floats(0, 1),
    levels=st.integers(1, 5), most=st.sampled_from([None, 1, 2, 3, 100]),
    pending=st.sampled_from([1, 5, 20, 10**6]), n_ids=st.integers(1, 12), seed=st.integers(0, 10**6),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_it_is_sorting_whatever_the_order_and_the_size_of_blocks(
    n_left: int, n_right: int, pieces: int, share: float, levels: int, most: int | None, pending: int,
    n_ids: int, seed: int,
) -> None:  # fmt: skip
    """Few levels of separation make ties; few ids make ties among these."""
    rng = np.random.default_rng(seed)
    ids = {(p, j): int(rng.integers(0, n_ids)) for p in range(pieces) for j in range(n_right)}
    every = [(i, p, j, float(rng.integers(0, levels))) for i in range(n_left) for p, j in ids]
    every = [row for row in every if rng.random() < share]

    def ranks(tied: Chosen) -> np.ndarray:
        keys = [(ids[p, j], p, j) for p, j in zip(tied.piece.tolist(), tied.right.tolist(), strict=True)]
        order = sorted(set(keys))
        return np.array([order.index(key) for key in keys], dtype=np.int64)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest, "_PENDING", pending)
        best = Counterparts(n_left, most, ranks)
        for piece in range(pieces):
            rows = [row for row in every if row[1] == piece]
            rng.shuffle(rows)
            for start in range(0, len(rows), 7):
                i, _, j, away = (np.array(v) for v in zip(*rows[start : start + 7], strict=True))
                best.add(piece, Pairs(i.astype(np.int64), j.astype(np.int64), away.astype(np.float64)))
        chosen = best.choose()
    found = list(zip(*(np.asarray(v).tolist() for v in chosen), strict=True))
    assert found == plain(every, most, ids)
    counts = [sum(row[0] == i for row in every) for i in range(n_left)]
    assert best.n_candidates.tolist() == counts


def test_no_left_rows_and_no_pairs() -> None:
    for n in (0, 3):
        for most in (None, 1, 4):
            best = Counterparts(n, most, lambda tied: tied.right)
            chosen = best.choose()
            assert len(chosen.left) == 0
            assert best.n_candidates.tolist() == [0] * n


def test_ranks_are_asked_for_ties_only() -> None:
    asked: list[int] = []

    def ranks(tied: Chosen) -> np.ndarray:
        asked.extend(tied.right.tolist())
        return -tied.right

    best = Counterparts(2, 1, ranks)
    best.add(0, Pairs(np.array([0, 0, 0, 1]), np.array([5, 6, 7, 8]), np.array([1.0, 1.0, 2.0, 1.0])))
    assert best.choose().right.tolist() == [6, 8]
    assert sorted(asked) == [5, 6]
