"""The label of a star in Table 2: its classes of section 4, several of them joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError

__all__ = ["LABELS", "SEPARATOR", "VARIABLE_CLASSES", "has_label", "join_labels", "split_labels"]

VARIABLE_CLASSES = ("EB", "DSCT", "GDOR", "hybrid", "RG", "RRL", "RSCVn", "rotation", "uncertain")
"""Classes of periodic variables, in the order of section 4.3."""

LABELS = ("MP", "VMP", "RVV", "bound_HiVels", "unbound_HiVels", *VARIABLE_CLASSES)
"""All labels, in the order in which they are joined."""

SEPARATOR = ","

Texts: TypeAlias = pa.Array | pa.ChunkedArray | Sequence[str | None]


def join_labels(columns: Mapping[str, ArrayLike | pa.Array | pa.ChunkedArray]) -> pa.Array:
    """Join the classes of stars into their labels.

    The paper prints no star with two classes, so that the separator is this package's; it has no blank.

    Parameters
    ----------
    columns : mapping
        Arrays of shape (n,).  One of booleans says which stars have the label that is its key (null: not);
        one of text has a label of `LABELS` for each star, or null, and its key says only what it is.

    Returns
    -------
    pyarrow.StringArray, shape (n,)
        Labels in the order of `LABELS`, each once; null for a star without.

    Raises
    ------
    UsageError
        For a label that is not one of `LABELS`, columns of different lengths, or none at all.

    Examples
    --------
    >>> join_labels({"RVV": [True, False], "metal_poor": ["VMP", None]}).to_pylist()
    ['VMP,RVV', None]
    """
    arrays = {name: _array(name, column) for name, column in columns.items()}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) != 1:
        told = ", ".join(f"{name}: {n}" for name, n in lengths.items()) or "none is given"
        raise UsageError(f"labels need columns of the same stars: {told}")
    flags = {label: np.zeros(next(iter(lengths.values())), bool) for label in LABELS}
    for name, array in arrays.items():
        if pa.types.is_boolean(array.type):
            _check([name], "column")
            flags[name] |= _mask(array)
        else:
            found = [label for label in array.unique().to_pylist() if label is not None]
            _check(found, f"value in {name}")
            for label in found:
                flags[label] |= _mask(pc.equal(array, label))
    # A bit for each label: there are few combinations, and each is spelt once.
    code = sum(mask.astype(np.int64) << bit for bit, mask in enumerate(flags.values()))
    codes, which = np.unique(code, return_inverse=True)
    spelt = [
        SEPARATOR.join(name for bit, name in enumerate(LABELS) if one >> bit & 1) or None
        for one in codes.tolist()
    ]
    return pa.array(spelt, pa.string()).take(pa.array(which))


def split_labels(label: Texts) -> pa.Array:
    """Split labels into lists of classes; null where there is no label.

    Parameters
    ----------
    label : array of str, shape (n,)
        Column ``label`` of the stars.  Blanks around classes are none of them.

    Returns
    -------
    pyarrow.ListArray of str, shape (n,)
    """
    lists = pc.split_pattern_regex(pc.utf8_trim_whitespace(_text(label)), rf"\s*{SEPARATOR}\s*")
    return lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists


def has_label(label: Texts, name: str) -> NDArray[np.bool_]:
    """Tell which stars have a label, alone or joined to others.

    Parameters
    ----------
    label : array of str, shape (n,)
        Column ``label`` of the stars; null has none.
    name : str
        One of `LABELS`.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    UsageError
        For another name.

    Examples
    --------
    >>> has_label(["MP,unbound_HiVels", "bound_HiVels", None], "bound_HiVels").tolist()
    [False, True, False]
    """
    _check([name], "label")
    found = pc.match_substring_regex(_text(label), rf"(?:^|{SEPARATOR})\s*{name}\s*(?:{SEPARATOR}|$)")
    return _mask(found)


def _text(label: Texts) -> pa.Array:
    array = label if isinstance(label, pa.Array | pa.ChunkedArray) else pa.array(label, pa.string())
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return array.cast(pa.string())


def _array(name: str, column: ArrayLike | pa.Array | pa.ChunkedArray) -> pa.Array:
    """Make an array of booleans or of text."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    array = column if isinstance(column, pa.Array) else pa.array(column)
    if pa.types.is_null(array.type):
        return array.cast(pa.string())
    if pa.types.is_boolean(array.type):
        return array
    try:
        return array.cast(pa.string()) if _is_text(array.type) else _refuse(name, array)
    except pa.ArrowInvalid as fault:
        raise UsageError(f"labels in {name}: {fault}") from fault


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _refuse(name: str, array: pa.Array) -> pa.Array:
    raise UsageError(f"labels in {name} must be booleans or text, not {array.type}")


def _mask(flags: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(flags, False).to_numpy(zero_copy_only=False), bool)


def _check(names: Sequence[str], what: str) -> None:
    for name in names:
        if name not in LABELS:
            raise UsageError(f"{what} {name!r} is no label; labels are {', '.join(LABELS)}")
