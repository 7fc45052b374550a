"""Run many independent tasks: on threads here, or on whatever executor the caller brings.

Anything with the standard library's executor interface serves, a Dask client's
(``client.get_executor()``) among them, so this package needs no scheduler of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import uuid4

__all__ = ["Progress", "cores", "give_up", "run_tasks", "threads"]

Task = TypeVar("Task")
Result = TypeVar("Result")
Progress = Callable[[int, int], None]
"""Called with the number of tasks done and the number of all."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def threads(executor: Executor | None = None) -> Iterator[Executor]:
    """Give back the executor, or one thread a core for the time of the ``with`` block."""
    if executor is not None:
        yield executor
        return
    with ThreadPoolExecutor(cores(), thread_name_prefix="lkmrs") as pool:
        yield pool


def _call(attempt: str, function: Callable[[Task], Result], task: Task) -> Result:
    return function(task)


def give_up(futures: Iterable[Future[Any]]) -> None:
    """Cancel futures; what still runs is waited for, as it may write where the caller is about to clean up.

    A future that could be cancelled is not waited for: nobody may ever say that it has ended
    (https://github.com/python/cpython/issues/92001, which Dask's executor runs into now and then).
    """
    wait([future for future in futures if not future.cancel()])


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Call a function on each task and return the results in the tasks' order.

    On the first failure the tasks not yet begun are cancelled and the exception is raised.

    Parameters
    ----------
    function : callable
        Of one argument; picklable where the executor has other processes.
    tasks : iterable
        Its arguments.
    executor : concurrent.futures.Executor, optional
        One thread a core if not given.
    progress : callable, optional
        See `Progress`.
    """
    items = list(tasks)
    with threads(executor) as pool:
        # Dask takes equal calls for one and may answer from memory, even with a failure: so none are equal.
        attempt = uuid4().hex
        futures: list[Future[Any]] = [pool.submit(_call, attempt, function, item) for item in items]
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                if progress is not None:
                    progress(done, len(items))
        except BaseException:
            give_up(futures)
            raise
        return [future.result() for future in futures]
