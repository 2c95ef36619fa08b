"""Configuration errors are for the person who can mend them: file, line, key, what was found, the likely typo."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from plneval.config.base import load
from plneval.config.models import Models
from plneval.config.project import Project
from plneval.config.workspace import Workspace
from plneval.errors import UserError, UserErrors

MODELS = """\
models:
  m:
    kind: did.att_gt
    label: A model
    outcome: maths
"""


def models(folder: Path, text: str) -> Path:
    path = folder / "models.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_unknown_key_names_line_and_nearest_key(tmp_path: Path) -> None:
    path = models(tmp_path, MODELS + "    comparision: never\n")
    with pytest.raises(UserError, match=r"models\.yaml:6: models\.m\.comparision: .*Did you mean 'comparison'\?"):
        load(path, Models)


def test_a_wrong_value_names_what_was_found_and_the_nearest(tmp_path: Path) -> None:
    path = models(tmp_path, MODELS + "    comparison: nevr\n")
    with pytest.raises(UserError, match=r"models\.yaml:6: models\.m\.comparison: .*'never'.*found 'nevr'.*'never'\?"):
        load(path, Models)


def test_an_unknown_kind_is_named(tmp_path: Path) -> None:
    path = models(tmp_path, MODELS.replace("did.att_gt", "calaway_santanna"))
    with pytest.raises(UserError, match=r"models\.yaml:\d+: models\.m.*calaway_santanna"):
        load(path, Models)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = models(tmp_path, MODELS.replace("    outcome: maths\n", ""))
    with pytest.raises(UserError, match=r"models\.yaml:2: models\.m\.outcome: this key is needed"):
        load(path, Models)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("cohorts: []\nseed: -1\nrenderer: word\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load(path, Project)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[1] for line in lines] == ["1", "2", "3"]


def test_headline_terms_of_a_multilevel_model_are_effect_terms(tmp_path: Path) -> None:
    path = models(
        tmp_path,
        "models:\n  g:\n    kind: multilevel\n    label: G\n    outcome: maths\n"
        "    formula: z ~ treated + (1 | school)\n    effect_terms: [treated]\n    headline_terms: [treatd]\n",
    )
    with pytest.raises(UserError, match=r"models\.yaml:\d+: models\.g.*'treatd' is not among effect_terms"):
        load(path, Models)


@pytest.fixture
def project(tmp_path: Path, root: Path) -> Path:
    shutil.copytree(root / "config", tmp_path / "config")
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_shipped_configuration_is_in_order(root: Path) -> None:
    workspace = Workspace(root)
    assert workspace.report.months_table == "trial"
    for name in ("demo", "chicago-isp"):
        cohort = workspace.cohort(name)
        assert workspace.model(workspace.headline_model(cohort)).headline


def test_a_cohort_that_does_not_exist_is_named_with_the_nearest(project: Path) -> None:
    with pytest.raises(UserError, match=r"there is no cohort 'dema'. Did you mean 'demo'"):
        Workspace(project).cohort("dema")


def test_a_model_that_does_not_exist_names_the_cohorts_line(project: Path) -> None:
    edit(project / "config/cohorts/demo.yaml", "cs_maths", "cs_math")
    with pytest.raises(UserError, match=r"config/cohorts/demo\.yaml:\d+: models\.0: there is no model 'cs_math'"):
        Workspace(project).cohort("demo")


def test_a_second_headline_is_refused(project: Path) -> None:
    edit(project / "config/models.yaml", "    outcome: reading\n", "    outcome: reading\n    headline: true\n")
    with pytest.raises(
        UserError, match="exactly one model with 'headline: true' is needed; found cs_maths, cs_reading"
    ):
        Workspace(project).cohort("demo")


def test_a_formula_error_names_the_line_of_the_formula(project: Path) -> None:
    edit(project / "config/models.yaml", "+ treated_year_1 +", "+ treatd_year_1 +")
    lines = (project / "config/models.yaml").read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "formula: >-" in text)
    with pytest.raises(UserError, match=rf"config/models\.yaml:{line}: models\.growth_maths\.formula: .*Did you mean"):
        _ = Workspace(project).models


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("callaway_santanna", "models.m.kind: 'callaway_santanna' is called 'did.att_gt' now."),
        ("twfe_event_study", "models.m.kind: 'twfe_event_study' is called 'did.event_study' now."),
        ("did.attgt", "models.m.kind: there is no 'did.attgt'. Did you mean 'did.att_gt'?"),
    ],
)
def test_a_kind_of_model_that_is_not_known_is_told_at_its_line(tmp_path: Path, kind: str, expected: str) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(f"models:\n  m:\n    label: l\n    kind: {kind}\n    outcome: maths\n")
    with pytest.raises(UserErrors, match=re.escape(f"{path}:4: {expected}")):
        load(path, Models)


def test_a_model_without_a_kind_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text("models:\n  m:\n    label: l\n    outcome: maths\n")
    with pytest.raises(UserErrors, match="the key 'kind' is needed"):
        load(path, Models)


@pytest.mark.parametrize("kind", ["did.triple_difference", "did.leaving", "did.switchers"])
def test_a_model_of_something_else_than_joining_cannot_be_the_headline(tmp_path: Path, kind: str) -> None:
    path = models(tmp_path, MODELS.replace("did.att_gt", kind) + "    headline: true\n")
    with pytest.raises(UserError, match=r"models\.yaml:.*the headline is the effect of joining"):
        load(path, Models)


def test_a_gap_is_always_between_the_two_groups(tmp_path: Path) -> None:
    path = models(tmp_path, MODELS.replace("did.att_gt", "did.triple_difference") + "    subgroup: all\n")
    with pytest.raises(UserError, match=r"models\.yaml:6: models\.m\.subgroup: .*'gap'"):
        load(path, Models)


def test_a_gap_needs_pupils(project: Path) -> None:
    edit(project / "config/cohorts/chicago-isp.yaml", "  - isp_twfe_maths\n", "  - isp_twfe_maths\n  - gap_maths\n")
    with pytest.raises(UserError, match="'gap_maths' needs pupils, and this study has school-level data only"):
        Workspace(project).cohort("chicago-isp")
