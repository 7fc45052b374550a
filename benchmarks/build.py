"""Build a HATS catalogue of 3.5 million rows from CSV.gz files, beside hats-import on the same files.

    python benchmarks/build.py [--scale 0.1] [--rounds 2] [--folder DIR] [--json build.json]

Each contender runs as a process of its own, so that its memory can be told: the largest of its processes.
Ours does more: it checks every value, finds the stars, joins repeated spectra and sorts by star.
"""

from __future__ import annotations

import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from survey_files import make_spectra, write_csv_gz
from timing import installed, parser, report

ROWS, FILES, WORKERS = 3_531_785, 4, 2
MAX_ROWS = 500_000
PEER = "hats-import, 2 workers"


def ours(raw: Path, out: Path, workers: int | None) -> None:
    """Build with lkmrs_dask on two threads or two worker processes."""
    from lkmrs_dask.pipeline.cluster import open_crew
    from lkmrs_dask.pipeline.draft import Draft
    from lkmrs_dask.pipeline.ingest import ingest
    from lkmrs_dask.pipeline.job import Settings
    from lkmrs_dask.pipeline.place import Place
    from lkmrs_dask.pipeline.progress import Reporter
    from lkmrs_dask.pipeline.readings import readings_of
    from lkmrs_dask.pipeline.survey import Survey
    from lkmrs_dask.readers.lamost_tables import TableSource
    from lkmrs_dask.schema import SPECTRA

    source = TableSource.from_settings(SPECTRA, ["*.csv.gz"], raw)
    place = Place(workers=workers) if workers else Place(threads=WORKERS)
    draft = Draft(Survey(out))
    draft.begin()
    with open_crew(place) as crew:
        readings = readings_of([("spectra", source, source.files())])
        ingest(readings, Settings(max_rows=MAX_ROWS), draft, crew, Reporter())
    draft.commit(success=True)


def hats_import(raw: Path, out: Path) -> None:
    """Build with hats-import, with its quickest CSV reader and two workers."""
    from dask.distributed import Client
    from hats_import.catalog.arguments import ImportArguments
    from hats_import.catalog.file_readers import CsvPyarrowReader
    from hats_import.pipeline import pipeline_with_client

    arguments = ImportArguments(
        output_path=out,
        output_artifact_name="spectra",
        input_file_list=sorted(raw.glob("*.csv.gz")),
        file_reader=CsvPyarrowReader(compression="gzip"),
        ra_column="ra",
        dec_column="dec",
        catalog_type="source",
        pixel_threshold=MAX_ROWS,
        highest_healpix_order=7,
        progress_bar=False,
    )
    with Client(n_workers=WORKERS, threads_per_worker=1, dashboard_address="127.0.0.1:0") as client:
        pipeline_with_client(arguments, client)


def read_only(raw: Path) -> None:
    """Unpack and parse the files and no more: what any contender has to do."""
    import pyarrow as pa
    import pyarrow.csv

    for path in sorted(raw.glob("*.csv.gz")):
        with pa.input_stream(str(path), compression="gzip") as stream:
            for _ in pa.csv.open_csv(stream, read_options=pa.csv.ReadOptions(block_size=16 << 20)):
                pass


CONTENDERS = {
    "lkmrs_dask, 2 threads": lambda raw, out: ours(raw, out, None),
    "lkmrs_dask, 2 workers": lambda raw, out: ours(raw, out, WORKERS),
    PEER: hats_import,
    "unpacking and parsing alone": lambda raw, out: read_only(raw),
}


def run_child(name: str, raw: Path, out: Path) -> None:
    """Run one contender in this process and print its time and memory."""
    start = time.perf_counter()
    CONTENDERS[name](raw, out)
    seconds = time.perf_counter() - start
    from lkmrs_dask.pipeline.memory import peak_memory_mb

    # Not RUSAGE_SELF, which knows the memory of the process that started this one too.
    memory = max(peak_memory_mb(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
    print(json.dumps({"seconds": seconds, "memory_mb": memory}))


def measure(name: str, raw: Path, out: Path) -> dict[str, float]:
    """Time a contender in a fresh process."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    command = [sys.executable, __file__, "--child", name, str(raw), str(out)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main(arguments: list[str] | None = None) -> dict:
    """Run the benchmark."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["--child"]:
        run_child(arguments[1], Path(arguments[2]), Path(arguments[3]))
        return {}
    options = parser(__doc__ or "", "build.json")
    options.set_defaults(rounds=2)
    options = options.parse_args(arguments)
    n_rows = int(ROWS * options.scale)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        raw = folder / "raw"
        if not list(raw.glob("*.csv.gz")):
            write_csv_gz(make_spectra(n_rows, n_stars=max(100, int(49_310 * options.scale))), raw, FILES)
        names = [name for name in CONTENDERS if name != PEER or installed("hats_import")]
        rounds = [{name: measure(name, raw, folder / "out") for name in names} for _ in range(options.rounds)]
        shutil.rmtree(folder / "out", ignore_errors=True)
    results = {}
    for name in names:
        taken = [one[name]["seconds"] for one in rounds]
        seconds = statistics.median(taken)
        results[name] = {
            "seconds": seconds,
            "min": min(taken),
            "max": max(taken),
            "rows_per_s": n_rows / seconds,
            "peak_mb": max(one[name]["memory_mb"] for one in rounds),
        }
        if PEER in names:
            ratios = [one[PEER]["seconds"] / one[name]["seconds"] for one in rounds]
            results[name]["times_peer"] = statistics.median(ratios)
    return report("build", results, options.json, rows=n_rows, files=FILES)


if __name__ == "__main__":
    main()
