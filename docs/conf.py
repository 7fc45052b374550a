"""Settings of the documentation (Sphinx with MyST)."""

from importlib.metadata import version as installed_version
from pathlib import Path

from lkmrs_dask.schema import TABLES
from lkmrs_dask.stars.kinematics.high_velocity import EPOCH_COLUMNS, HIGH_VELOCITY_COLUMNS
from lkmrs_dask.stars.rv_variability import RV_VARIABILITY

project = "lkmrs_dask"
author = "the lkmrs_dask developers"
release = version = installed_version("lkmrs-dask")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
napoleon_google_docstring = False
html_theme = "furo"
html_title = "lkmrs_dask"
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
exclude_patterns = ["_build"]


def write_columns(path: Path) -> None:
    """Print the schema as a page: every column of every catalogue."""
    lines = ["# Columns", ""]
    tables = {table.name: tuple(table) for table in (*TABLES.values(), RV_VARIABILITY)}
    for name, columns in {**tables, "kinematics": (*HIGH_VELOCITY_COLUMNS, *EPOCH_COLUMNS)}.items():
        lines += [
            f"## {name}",
            "",
            "| name | type | unit | description | also known as |",
            "|---|---|---|---|---|",
        ]
        for column in columns:
            aliases = ", ".join(column.aliases)
            kind = column.dtype.replace("<", "\\<")
            lines.append(f"| `{column.name}` | {kind} | {column.unit} | {column.description} | {aliases} |")
        lines.append("")
    path.write_text("\n".join(lines), encoding="utf-8")


write_columns(Path(__file__).parent / "columns.md")
