"""What is packaged, pinned and set up, and that imports stay light."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import lkmrs_dask

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
DIRECT = [Requirement(text) for group in (PROJECT["dependencies"], *EXTRAS.values()) for text in group]
PYTHONS = ("3.11", "3.12", "3.13")


def pins(python: str) -> dict[str, Version]:
    """Versions in constraints.txt that hold for a Python, by canonical name."""
    found: dict[str, Version] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        requirement = Requirement(line)
        (pin,) = requirement.specifier
        assert pin.operator == "==", line
        assert requirement.url is None, line
        if requirement.marker is None or requirement.marker.evaluate({"python_version": python}):
            name = canonicalize_name(requirement.name)
            assert name not in found, f"{name} is pinned twice"
            found[name] = Version(pin.version)
    return found


def project_files() -> list[Path]:
    """Files that are tracked or would be."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git and a checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def installed() -> importlib.metadata.Distribution:
    """Give the installed distribution; the tests of what an installation gives skip where there is none."""
    try:
        return importlib.metadata.distribution("lkmrs-dask")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("lkmrs-dask is not installed here: pip install -e .")


# Metadata


def test_one_version(installed: importlib.metadata.Distribution) -> None:
    assert installed.version == PROJECT["version"] == lkmrs_dask.__version__


def test_the_classifiers_name_the_pythons_that_are_allowed() -> None:
    bounds = Requirement(f"python{PROJECT['requires-python']}").specifier
    allowed = [f"3.{minor}" for minor in range(30) if bounds.contains(f"3.{minor}.1")]
    classified = [text.rsplit(" ", 1)[1] for text in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", text)]
    assert classified == allowed == list(PYTHONS)


def test_the_command_is_a_plug_in_of_dask(installed: importlib.metadata.Distribution) -> None:
    by_group = {entry.group: entry for entry in installed.entry_points if entry.name == "lkmrs"}
    assert by_group.keys() == {"console_scripts", "dask_cli"}
    # Dask names the sub-command after the click command, not after the entry point.
    assert {entry.load().name for entry in by_group.values()} == {"lkmrs"}


@pytest.mark.usefixtures("installed")
def test_the_command_is_the_same_called_three_ways() -> None:
    here = Path(sys.executable).parent
    ways = ([here / "lkmrs"], [sys.executable, "-m", "lkmrs_dask"], [here / "dask", "lkmrs"])
    lists = []
    for way in ways:
        done = subprocess.run([*way, "--help"], capture_output=True, text=True, check=True)
        lists.append(done.stdout.partition("Commands:")[2])
    assert lists[0] == lists[1] == lists[2]
    assert "demo" in lists[0]


def test_data_of_the_package_is_shipped() -> None:
    """The wheel holds what git does not ignore."""
    package = ROOT / "lkmrs_dask"
    data = {
        path for path in package.rglob("*") if path.is_file() and path.suffix in {".csv", ".toml", ".typed"}
    }
    assert package / "py.typed" in data
    assert data <= set(project_files())


# Pins


@pytest.mark.parametrize("python", PYTHONS)
def test_every_direct_dependency_is_pinned_within_its_bounds(python: str) -> None:
    pinned = pins(python)
    for requirement in DIRECT:
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"constraints.txt has no {name}"
        assert pinned[name] in requirement.specifier, f"{name} {pinned[name]} breaks {requirement}"


def test_every_dependency_has_a_floor() -> None:
    for requirement in DIRECT:
        assert ">=" in {bound.operator for bound in requirement.specifier}, str(requirement)


def test_indirect_dependencies_are_pinned_too(installed: importlib.metadata.Distribution) -> None:
    pinned = pins(f"{sys.version_info.major}.{sys.version_info.minor}")
    assert sorted(needed_by(installed) - pinned.keys()) == []


def needed_by(distribution: importlib.metadata.Distribution) -> set[str]:
    """Names of what a distribution needs with all its extras, through all that is installed."""
    seen: set[tuple[str, str]] = set()
    left = [(distribution, extra) for extra in ("", *EXTRAS)]
    while left:
        parent, extra = left.pop()
        for text in parent.requires or ():
            requirement = Requirement(text)
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
                continue
            name = canonicalize_name(requirement.name)
            for wanted in ("", *requirement.extras):
                if (name, wanted) in seen:
                    continue
                seen.add((name, wanted))
                try:
                    left.append((importlib.metadata.distribution(name), wanted))
                except importlib.metadata.PackageNotFoundError:
                    continue  # of an extra that is not installed here
    return {name for name, _ in seen}


# Nothing of the machine it was made on


def test_no_index_and_no_path_of_a_machine_in_any_file() -> None:
    homes = {f"{place}/" for place in (str(ROOT), str(Path.home())) if place != "/"}
    unwanted = re.compile(
        r"\bpypi\.org\b|\bpythonhosted\b|--(?:extra-)?index-url|--find-links|--trusted-host|\bfile:///"
        r"|(?<![\w.~${}/*-])/(?:root|work|Users)/|" + "|".join(map(re.escape, homes))
    )
    found = []
    for path in project_files():
        if path == Path(__file__).resolve() or b"\0" in (content := path.read_bytes())[:8000]:
            continue
        for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
            if unwanted.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line[:100]}")
    assert found == []


# Imports


def third_parties(statement: str) -> set[str]:
    """Top-level names, outside the standard library, that a statement loads in a new process."""
    code = f"import sys; old = set(sys.modules); {statement}; print(*set(sys.modules) - old)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    names = {name.partition(".")[0] for name in done.stdout.split()}
    return names - set(sys.stdlib_module_names) - {"lkmrs_dask"}


def test_the_package_imports_nothing_heavy() -> None:
    assert third_parties("import lkmrs_dask") == set()


def test_the_command_imports_only_click() -> None:
    assert third_parties("import lkmrs_dask.cli") == {"click"}


def test_public_names_load_on_first_use() -> None:
    assert "numpy" in third_parties("import lkmrs_dask; lkmrs_dask.open_catalog")


# Makefile and CI

FAKE_PYTHON = """#!/bin/sh
# Stands in for Python: writes down what it is asked for; makes a folder for "-m venv".
echo "$*" >> "{log}"
case "$*" in
    -c*) echo "$0" ;;
    --version) echo "Python 3.12.0" ;;
    "-m venv "*) mkdir -p "$3/bin"; for name in python pip lkmrs; do cp "$0" "$3/bin/$name"; done ;;
    *"pip install"*) exit $(cat "{status}") ;;
esac
"""


def without_make() -> dict[str, str]:
    """Return the environment without what an outer make hands down to those that it calls."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


class Checkout:
    """A folder with the Makefile and a stand-in for Python that notes what it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, folder / name)
        self.python = folder / "fake-python"
        self.python.write_text(FAKE_PYTHON.format(log=self.log, status=folder / "status"))
        self.python.chmod(0o755)
        self.pip_exits_with(0)

    def pip_exits_with(self, status: int) -> None:
        (self.folder / "status").write_text(str(status))

    def make(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run make with the stand-in and without uv."""
        command = ["make", "UV=", f"PYTHON={self.python}", *words]
        return subprocess.run(
            command, cwd=self.folder, env=without_make(), capture_output=True, text=True, check=False
        )

    def asked(self) -> list[str]:
        """List what was asked of Python since the last call, but for questions about itself."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        kept = [line for line in lines if not line.startswith(("-c", "--version"))]
        return [line.replace(" -q --disable-pip-version-check", "") for line in kept]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    if shutil.which("make") is None:
        pytest.skip("needs make")
    return Checkout(tmp_path)


RUNTIME = ["-m venv .venv", "-m pip install -c constraints.txt -e ."]
TESTS = ["-m pip install -c constraints.txt -e .[test,dev]"]


@pytest.mark.parametrize("target", ["help", "demo", "test", "lint", "bench", "docs", "floors", "clean"])
def test_make_knows(checkout: Checkout, target: str) -> None:
    done = checkout.make("--dry-run", target)
    assert done.returncode == 0, done.stderr


def test_make_demo_sets_up_once_and_without_the_oracles(checkout: Checkout) -> None:
    assert checkout.make("demo").returncode == 0
    assert checkout.asked() == [*RUNTIME, "demo"]
    assert checkout.make("demo").returncode == 0
    assert checkout.asked() == ["demo"]


def test_make_test_adds_to_the_environment_of_the_demo(checkout: Checkout) -> None:
    checkout.make("demo")
    checkout.asked()
    assert checkout.make("test").returncode == 0
    assert checkout.asked() == [*TESTS, "-m pytest -q -n 2"]
    assert checkout.make("test", "JOBS=1", "ARGS=-x").returncode == 0
    assert checkout.asked() == ["-m pytest -q -n 1 -x"]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_make_sets_up_afresh_after_a_change_of(checkout: Checkout, name: str) -> None:
    checkout.make("test")
    checkout.asked()
    later = (checkout.folder / ".venv/.test").stat().st_mtime + 10
    os.utime(checkout.folder / name, (later, later))
    assert checkout.make("test").returncode == 0
    assert checkout.asked() == [*RUNTIME, *TESTS, "-m pytest -q -n 2"]


def test_a_set_up_that_failed_is_done_again(checkout: Checkout) -> None:
    checkout.pip_exits_with(1)
    assert checkout.make("demo").returncode != 0
    assert checkout.asked() == RUNTIME
    (checkout.folder / ".venv/left-over").touch()
    checkout.pip_exits_with(0)
    assert checkout.make("demo").returncode == 0
    assert checkout.asked() == [*RUNTIME, "demo"]
    assert not (checkout.folder / ".venv/left-over").exists()


def test_make_says_so_where_no_python_fits(checkout: Checkout) -> None:
    checkout.python.write_text("#!/bin/sh\nexit 1\n")
    done = checkout.make("demo")
    assert done.returncode != 0
    assert "3.11, 3.12 or 3.13" in done.stderr
    assert str(checkout.python) in done.stderr
    assert not (checkout.folder / ".venv").exists()


@pytest.mark.parametrize(("lint", "tests", "status"), [(0, 0, 0), (1, 0, 1), (0, 1, 1)])
def test_ci_fails_if_either_fails_and_ends_with_the_count(
    tmp_path: Path, lint: int, tests: int, status: int
) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    closing = "====== 3 passed, 1 skipped in 0.12s ======"
    (tmp_path / "Makefile").write_text(
        f"lint:\n\t@echo linted; exit {lint}\ntest:\n\t@echo '{closing}'; echo 'more'; exit {tests}\n"
    )
    command = ["bash", str(tmp_path / ".ci/run")]
    done = subprocess.run(command, env=without_make(), capture_output=True, text=True, check=False)
    assert done.returncode == status
    lines = done.stdout.splitlines()
    assert lines[0] == "linted"
    assert lines[-1] == closing
