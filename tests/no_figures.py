"""Runs that draw no figures, which take most of the time of a small one: in tests, and as a command."""

from __future__ import annotations

from importlib import import_module

import pytest

_MODULES = ("products", "peculiar_products", "light_products")


def leave_out_figures(patch: pytest.MonkeyPatch) -> None:
    """Let runs of this process draw no figures."""
    for name in _MODULES:
        module = import_module(f"lkmrs_dask.pipeline.{name}")
        for drawing in [one for one in vars(module) if one.startswith("figure_")]:
            patch.setattr(module, drawing, lambda *_, **__: None)


def main() -> None:
    """Be ``lkmrs``, but for its figures."""
    from lkmrs_dask import cli

    with pytest.MonkeyPatch.context() as patch:
        leave_out_figures(patch)
        cli.main(prog_name="lkmrs")


if __name__ == "__main__":
    main()
