"""The paper's Tables 2 to 6: one definition each, files in every format that astronomers read."""

from lkmrs_dask.products.tables.definition import TableColumn, TableDefinition
from lkmrs_dask.products.tables.definitions import (
    PAPER_TABLES,
    error_law_rows,
    table2,
    table3,
    table4,
    table5,
    table6,
)
from lkmrs_dask.products.tables.write import FORMATS, write_paper_table

__all__ = [
    "FORMATS",
    "PAPER_TABLES",
    "TableColumn",
    "TableDefinition",
    "error_law_rows",
    "table2",
    "table3",
    "table4",
    "table5",
    "table6",
    "write_paper_table",
]
