"""Job files: which raw files become which catalogues, and with what settings (TOML)."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline.inputs import ExternalSpec, InputSpec, expand, read_external_spec, read_input
from lkmrs_dask.pipeline.light_curve_inputs import LightCurveSpec, read_light_curve_spec
from lkmrs_dask.pipeline.settings import Settings, check_names, read_section, read_settings
from lkmrs_dask.readers.base import Source
from lkmrs_dask.stars.comparison_settings import ComparisonSettings, OffsetSettings
from lkmrs_dask.stars.error_settings import ErrorLawSettings
from lkmrs_dask.stars.hr_settings import HrSettings
from lkmrs_dask.stars.kinematics.settings import HighVelocitySettings
from lkmrs_dask.stars.known_lists import KnownList
from lkmrs_dask.stars.metal_poor import MetalPoorSettings
from lkmrs_dask.stars.orbits.settings import OrbitSettings
from lkmrs_dask.stars.rv_settings import RvVariableSettings
from lkmrs_dask.stars.rv_zero_summary import ZeroPointSettings
from lkmrs_dask.variability.classifier import ClassifierSettings
from lkmrs_dask.variability.curve_settings import CurveSettings
from lkmrs_dask.variability.dip_search import DipSettings
from lkmrs_dask.variability.frequency_settings import FrequencySettings
from lkmrs_dask.variability.rule_settings import RuleSettings
from lkmrs_dask.variability.training_choice import TrainingChoice
from lkmrs_dask.variability.verdict import VerdictSettings

__all__ = ["SECTIONS", "InputSpec", "Job", "Settings", "expand", "read_job"]


SECTIONS: dict[str, Any] = {
    "error_law": ErrorLawSettings,
    "comparison": ComparisonSettings,
    "offsets": OffsetSettings,
    "metal_poor": MetalPoorSettings,
    "high_velocity": HighVelocitySettings,
    "rv_variables": RvVariableSettings,
    "zero_points": ZeroPointSettings,
    "hr_diagram": HrSettings,
    "variability": CurveSettings,
    "frequencies": FrequencySettings,
    "dips": DipSettings,
    "variable_rules": RuleSettings,
    "training": TrainingChoice,
    "classifier": ClassifierSettings,
    "verdict": VerdictSettings,
}
"""Tables of settings of a job file, by name."""

_PARTS = ("job", "settings", "input", "external", "light_curves", "known", "orbits")


@dataclass(frozen=True)
class Job:
    """A job file, read and checked.

    Parameters
    ----------
    name, title : str
        Short name, and one line about it.
    raw : Path
        Folder of the raw files.
    inputs : tuple of InputSpec
        In the order of the file.
    settings : Settings
        With the job's own values.
    path : Path or None
        The file.
    external : tuple of ExternalSpec
        Catalogues of other surveys.
    light_curves : tuple of LightCurveSpec
        Light curves of its stars.
    error_law, comparison, offsets, metal_poor, high_velocity, rv_variables, zero_points, hr_diagram,
    variability, frequencies, dips, variable_rules, training, classifier, verdict
        Settings of these analyses.
    orbits : OrbitSettings or None
        Of the search for orbits, which takes half a second a star; None without one.
    known : mapping
        By name of an external catalogue, what it knows of which stars (``[known.NAME]``).
    """

    name: str
    title: str
    raw: Path
    inputs: tuple[InputSpec, ...]
    settings: Settings
    path: Path | None = None
    external: tuple[ExternalSpec, ...] = ()
    light_curves: tuple[LightCurveSpec, ...] = ()
    error_law: ErrorLawSettings = field(default_factory=ErrorLawSettings)
    comparison: ComparisonSettings = field(default_factory=ComparisonSettings)
    offsets: OffsetSettings = field(default_factory=OffsetSettings)
    metal_poor: MetalPoorSettings = field(default_factory=MetalPoorSettings)
    high_velocity: HighVelocitySettings = field(default_factory=HighVelocitySettings)
    rv_variables: RvVariableSettings = field(default_factory=RvVariableSettings)
    zero_points: ZeroPointSettings = field(default_factory=ZeroPointSettings)
    hr_diagram: HrSettings = field(default_factory=HrSettings)
    variability: CurveSettings = field(default_factory=CurveSettings)
    frequencies: FrequencySettings = field(default_factory=FrequencySettings)
    dips: DipSettings = field(default_factory=DipSettings)
    variable_rules: RuleSettings = field(default_factory=RuleSettings)
    training: TrainingChoice = field(default_factory=TrainingChoice)
    classifier: ClassifierSettings = field(default_factory=ClassifierSettings)
    verdict: VerdictSettings = field(default_factory=VerdictSettings)
    orbits: OrbitSettings | None = None
    known: Mapping[str, KnownList] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """All of it but the job file's path, for a survey's records."""
        return {
            "job": {"name": self.name, "title": self.title, "raw": str(self.raw.absolute())},
            "settings": asdict(self.settings),
            "inputs": [asdict(spec) for spec in self.inputs],
            "external": [asdict(spec) for spec in self.external],
            "light_curves": [asdict(spec) for spec in self.light_curves],
            **{name: asdict(getattr(self, name)) for name in SECTIONS},
            "orbits": asdict(self.orbits) if self.orbits is not None else None,
            "known": {name: asdict(one) for name, one in self.known.items()},
        }

    def located(self) -> Job:
        """Make a job whose files are found from any current folder."""
        table = self.training.table
        if not table:
            return self
        place = Path(expand(table, str(self.path or ""))).expanduser().absolute()
        return replace(self, training=replace(self.training, table=str(place)))

    def with_inputs(self, specs: Iterable[InputSpec]) -> Job:
        """Make a job with more inputs; those that it has are not added again."""
        return replace(self, inputs=(*self.inputs, *(spec for spec in specs if spec not in self.inputs)))

    def without_ingested(self, files: Collection[Path]) -> Job:
        """Make a job without some of the files that were added to its survey."""
        inputs = []
        for spec in self.inputs:
            if spec.ingested:
                folder, names = spec.folder(self.raw), zip(spec.files, spec.literal_files(), strict=True)
                left = tuple(pattern for pattern, name in names if folder / name not in files)
                spec = replace(spec, files=left)
            if spec.files:
                inputs.append(spec)
        return replace(self, inputs=tuple(inputs))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Job:
        """Make a job of what `as_json` gave."""
        head = values["job"]
        inputs = tuple(InputSpec(**{**one, "files": tuple(one["files"])}) for one in values["inputs"])
        external = tuple(
            ExternalSpec(**{**one, "files": tuple(one["files"])}) for one in values.get("external", [])
        )
        light_curves = tuple(
            LightCurveSpec(**{**one, "files": tuple(one["files"])}) for one in values.get("light_curves", [])
        )
        sections = {name: kind(**values.get(name, {})) for name, kind in SECTIONS.items()}
        orbits = OrbitSettings(**values["orbits"]) if values.get("orbits") else None
        return cls(
            head["name"], head["title"], Path(head["raw"]), inputs, Settings(**values["settings"]),
            external=external, light_curves=light_curves, orbits=orbits,
            known=_known(values.get("known", {})), **sections,
        )  # fmt: skip

    def sources(self) -> list[tuple[str, Source, list[Path]]]:
        """Make the readers; inputs marked optional without a file are left out.

        Returns
        -------
        list of (str, Source, list of Path)
            The catalogue of each, its reader, and its files.

        Raises
        ------
        UsageError
            When the raw folder is missing, or an input that is not optional has no file.
        """
        result = []
        for spec in self.inputs:
            folder = spec.folder(self.raw)
            if not folder.is_dir():
                raise UsageError(
                    f"raw folder {folder} is not there (job {self.name}); give another with --raw"
                )
            source = spec.source(self.raw, self.settings)
            try:
                files = source.files()
            except UsageError:
                if spec.optional and not any(any(folder.glob(pattern)) for pattern in spec.files):
                    continue
                raise
            result.append((spec.catalog, source, files))
        if not result:
            alone = ""
            if self.light_curves:
                alone = (
                    ": light curves alone make no survey; `lkmrs import light_curves` makes a catalogue of "
                    "them, which lk.frequencies searches"
                )
            raise UsageError(f"job {self.name} has no [[input]] with files under {self.raw}{alone}")
        return result


def read_job(path: str | Path, raw: str | Path | None = None) -> Job:
    """Read a job file.

    Parameters
    ----------
    path : str or Path
        The TOML file.
    raw : str or Path, optional
        Raw folder in place of the job's.  Relative ones start at the current folder.

    Raises
    ------
    UsageError
        When the file is missing or wrong; the message names the entry.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            content = tomllib.load(stream)
    except FileNotFoundError as fault:
        raise UsageError(f"no job file {path}; the project's own are in jobs/") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, IsADirectoryError, PermissionError) as fault:
        raise UsageError(f"job file {path}: {fault}") from fault
    check_names(content, (*_PARTS, *SECTIONS), path, "the file")
    head = content.get("job", {})
    check_names(head, ("name", "title", "raw"), path, "[job]")
    folder = raw if raw is not None else head.get("raw")
    if folder is None:
        raise UsageError(f"job file {path}: [job] raw is missing; state it or give --raw")
    external = _external(content, path)
    return Job(
        name=str(head.get("name", path.stem)),
        title=str(head.get("title", "")),
        raw=Path(expand(str(folder), str(path))).expanduser(),
        inputs=tuple(
            read_input(entry, number, path)
            for number, entry in enumerate(_entries(content, "input", path), 1)
        ),
        settings=read_settings(content.get("settings", {}), path),
        path=path,
        external=external,
        light_curves=tuple(
            read_light_curve_spec(entry, number, path)
            for number, entry in enumerate(_entries(content, "light_curves", path), 1)
        ),
        orbits=read_section(OrbitSettings, content["orbits"], path, "[orbits]")
        if "orbits" in content
        else None,
        known=_read_known(content, external, path),
        **{name: _section(kind, name, content, path) for name, kind in SECTIONS.items()},
    ).located()


def _section(kind: Any, name: str, content: Mapping[str, Any], path: Path) -> Any:
    return read_section(kind, content.get(name, {}), path, f"[{name}]")


def _read_known(
    content: Mapping[str, Any], external: Iterable[ExternalSpec], path: Path
) -> dict[str, KnownList]:
    lists = content.get("known", {})
    if not isinstance(lists, Mapping) or not all(isinstance(values, Mapping) for values in lists.values()):
        raise UsageError(
            f"job file {path}: what lists know is written as [known.NAME], each with its own entries"
        )
    names = {one.name for one in external}
    unknown = sorted(set(lists) - names)
    if unknown:
        raise UsageError(
            f"job file {path}: [known.{unknown[0]}] is of no [[external]] of {', '.join(sorted(names))}"
        )
    return {
        name: read_section(KnownList, {"name": name, **values}, path, f"[known.{name}]")
        for name, values in lists.items()
    }


def _known(lists: Mapping[str, Any]) -> dict[str, KnownList]:
    """Make lists of what JSON keeps of them."""
    made = {}
    for name, values in lists.items():
        several = {
            key: {one: tuple(some) for one, some in values[key].items()}
            for key in ("types", "limits", "excluded")
        }
        classes = None if values["classes"] is None else tuple(values["classes"])
        made[name] = KnownList(**{**values, **several, "classes": classes})
    return made


def _external(content: Mapping[str, Any], path: Path) -> tuple[ExternalSpec, ...]:
    entries = _entries(content, "external", path)
    specs = tuple(read_external_spec(entry, number, path) for number, entry in enumerate(entries, 1))
    names = [spec.name for spec in specs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"job file {path}: two [[external]] are named {twice[0]}: give them names")
    return specs


def _entries(content: Mapping[str, Any], name: str, path: Path) -> list[Any]:
    entries = content.get(name, [])
    if not isinstance(entries, list):
        raise UsageError(f"job file {path}: {name} is written as [[{name}]], each with its own entries")
    return entries
