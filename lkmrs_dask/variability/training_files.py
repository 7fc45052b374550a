"""The training table on disk: Parquet, with its settings and a fingerprint of the code that made it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lkmrs_dask import __version__
from lkmrs_dask.catalog.receipts import whole_file
from lkmrs_dask.errors import CatalogError
from lkmrs_dask.variability.feature_names import FEATURE_NAMES
from lkmrs_dask.variability.training import TableSettings, TrainingTable

__all__ = ["load_training", "save_training", "table_code"]

_KEY = b"lkmrs_training"
_OF_STARS = ("label", "star", "source")
# What is done with the table does not change it.
_WITHOUT = frozenset(
    {"assessment.py", "classifier.py", "evaluation.py", "importance.py", "rules.py",
     "rule_settings.py", "training_files.py", "verdict.py"}
)  # fmt: skip


@cache
def table_code() -> str:
    """SHA-256 of the modules that make a training table: features of other code cannot be compared."""
    digest = hashlib.sha256()
    root = Path(str(files("lkmrs_dask")))
    places = (root / "variability", root / "synthetic", root / "readers" / "light_curves")
    for path in sorted(path for place in places for path in place.rglob("*.py")):
        if path.name not in _WITHOUT:
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def save_training(
    table: TrainingTable, path: str | os.PathLike, settings: TableSettings | None = None, **notes: Any
) -> Path:
    """Write a table, whole or not at all.

    Parameters
    ----------
    table : TrainingTable
        From `lkmrs_dask.variability.training.training_table`.
    path : path
        Of the file.
    settings : TableSettings, optional
        With which it was made.
    **notes
        What else shall be known of it, as JSON can write it: the lists of labelled stars, for one.

    Returns
    -------
    Path
        The file.
    """
    path = Path(path)
    known = {
        "version": __version__,
        "code": table_code(),
        "settings": asdict(settings or TableSettings()),
        "rows": len(table.labels),
        **notes,
    }
    columns = {name: pa.array(table.features[:, at]) for at, name in enumerate(FEATURE_NAMES)}
    columns |= {
        name: pa.array(column.tolist(), pa.string())
        for name, column in zip(_OF_STARS, table[1:], strict=True)
    }
    text = json.dumps(known, sort_keys=True, default=str).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as unfinished:
        pq.write_table(pa.table(columns).replace_schema_metadata({_KEY: text}), unfinished)
    return path


def load_training(path: str | os.PathLike, *, any_code: bool = False) -> TrainingTable:
    """Read a table that `save_training` wrote.

    Parameters
    ----------
    path : path
        The file, or the folder that `lkmrs train` filled.
    any_code : bool
        Whether a table that other code made is taken too, as long as it has the features of today.

    Returns
    -------
    TrainingTable

    Raises
    ------
    CatalogError
        Where there is no such table, it is damaged, has other features, or other code made it.
    """
    path = _place(path)
    table, notes = _read(path)
    missing = [name for name in (*FEATURE_NAMES, *_OF_STARS) if name not in table.column_names]
    if missing:
        raise CatalogError(f"{path}: the training table has no {', '.join(missing)}; {_AGAIN}")
    if notes.get("code") != table_code() and not any_code:
        raise CatalogError(
            f"{path}: the training table was made by another state of the code (version "
            f"{notes.get('version', 'unknown')}); {_AGAIN}"
        )
    try:
        features = np.column_stack([table[name].to_numpy() for name in FEATURE_NAMES]).astype(np.float64)
    except (ValueError, TypeError) as fault:
        raise CatalogError(f"{path}: a feature is no number ({fault}); {_AGAIN}") from fault
    texts = (np.array([one or "" for one in table[name].to_pylist()], str) for name in _OF_STARS)
    return TrainingTable(features, *texts)


_AGAIN = "make it again by `lkmrs train`"


def _place(path: str | os.PathLike) -> Path:
    path = Path(path)
    return path / "training.parquet" if path.is_dir() else path


def _read(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    try:
        table = pq.read_table(path)
        notes = json.loads((table.schema.metadata or {})[_KEY])
    except FileNotFoundError:
        raise CatalogError(f"there is no training table {path}; {_AGAIN}") from None
    except KeyError:
        raise CatalogError(f"{path} is no training table of `lkmrs train`") from None
    except (OSError, ValueError, pa.ArrowException) as fault:
        raise CatalogError(f"{path}: the training table cannot be read ({fault}); {_AGAIN}") from fault
    return table, notes
