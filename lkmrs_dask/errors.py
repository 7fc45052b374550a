"""Exceptions, each of which says what is wrong, where, and what to do."""

from __future__ import annotations

import errno

__all__ = ["CatalogError", "DamagedError", "InputError", "LkmrsError", "UsageError", "may_pass"]

_PASSING = frozenset(
    {errno.EIO, errno.EAGAIN, errno.EINTR, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT, errno.EREMOTEIO,
     errno.ECONNRESET, errno.ECONNABORTED, errno.ECONNREFUSED, errno.EPIPE, errno.ENETDOWN, errno.ENETUNREACH,
     errno.EHOSTUNREACH, errno.ENFILE, errno.EMFILE}
)  # fmt: skip


class LkmrsError(Exception):
    """Base of every error that this package raises on purpose.

    Attributes
    ----------
    exit_code : int
        What the command line returns for it: 2 for a wrong call, 1 for data that could not be processed.
    """

    exit_code = 1


class UsageError(LkmrsError):
    """A wrong call: an unknown setting, a job file that names a missing folder, a radius below zero."""

    exit_code = 2


class InputError(LkmrsError):
    """A raw file that cannot be read.

    Parameters
    ----------
    message : str
        What is wrong and what to do.
    file : str, optional
        The file.
    column : str, optional
        The column, where one is to blame.
    row : int, optional
        The row, counted as an editor does for text (the header is line 1) and from 1 for binary tables.
    """

    def __init__(
        self, message: str, *, file: object = None, column: str | None = None, row: int | None = None
    ) -> None:
        self.message = message
        self.file = None if file is None else str(file)
        self.column = column
        self.row = row
        place = [f"file {self.file}" if self.file else "", f"column {column}" if column else ""]
        place.append(f"row {row}" if row is not None else "")
        where = ", ".join(part for part in place if part)
        super().__init__(f"{where}: {message}" if where else message)

    def __reduce__(self) -> tuple:
        # Keyword-only arguments do not survive the default pickling, and errors travel between workers.
        return (_rebuild_input_error, (type(self), self.message, self.file, self.column, self.row))


def _rebuild_input_error(
    kind: type[InputError], message: str, file: str | None, column: str | None, row: int | None
) -> InputError:
    return kind(message, file=file, column=column, row=row)


class DamagedError(InputError):
    """A raw file whose bytes are not those that were written: rows that it gave before cannot be trusted."""


class CatalogError(LkmrsError):
    """A catalogue on disk that breaks the HATS format or this package's promises about it."""


def may_pass(fault: BaseException | None) -> bool:
    """Whether a fault may be gone on another try: of a network, a busy file system, or caused by one."""
    if isinstance(fault, LkmrsError):
        fault = fault.__cause__
    if isinstance(fault, OSError) and fault.errno is not None:
        return fault.errno in _PASSING
    return isinstance(fault, ConnectionError | TimeoutError)
