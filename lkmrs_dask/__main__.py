"""``python -m lkmrs_dask``: the same as the command ``lkmrs``."""

from lkmrs_dask.cli import main

if __name__ == "__main__":
    main(prog_name="python -m lkmrs_dask")
