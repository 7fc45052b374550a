"""Time to import the package and to print the command's help, beside lsdb and pyarrow.

python benchmarks/startup.py [--rounds 5] [--json startup.json]
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

from timing import compare, parser, report


def python(code: str):
    """Give a function that runs code in a fresh interpreter."""
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def main(arguments: list[str] | None = None) -> dict:
    """Run the benchmark."""
    options = parser(__doc__ or "", "startup.json").parse_args(arguments)
    contenders = {
        "import lkmrs_dask": python("import lkmrs_dask"),
        "lkmrs --help": python(
            "import sys; sys.argv[1:] = ['--help']; from lkmrs_dask.cli import main; main()"
        ),
        "lkmrs_dask.open_catalog (loads dask)": python("import lkmrs_dask; lkmrs_dask.open_catalog"),
        "python alone": python("pass"),
        "import pyarrow.parquet": python("import pyarrow.parquet"),
    }
    if find_spec("lsdb"):
        contenders["import lsdb"] = python("import lsdb")
    return report("startup", compare(contenders, options.rounds), options.json)


if __name__ == "__main__":
    main()
