"""The data files: all there, typed, unique keys, and honest about where they come from."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from plneval import standards
from plneval.config.cohort import Tidier
from plneval.standards import records

DATA = Path(standards.__file__).parent / "data"


def test_every_data_file_is_in_the_register_and_every_name_has_its_file() -> None:
    assert sorted(path.stem for path in DATA.iterdir()) == list(standards.NAMES)
    assert [entry.name for entry in standards.register()] == list(standards.NAMES)


@pytest.mark.parametrize("name", standards.NAMES)
def test_register_tells_source_version_status_and_the_digest_of_the_file(name: str) -> None:
    (entry,) = standards.register([name, name])
    assert entry.digest == hashlib.sha256((DATA / f"{name}.yaml").read_bytes()).hexdigest()
    assert entry.status in ("verified", "recall")
    assert all(text.strip() for text in (entry.title, entry.version, entry.source))


@pytest.mark.parametrize("name", standards.NAMES)
def test_data_files_repeat_no_key(name: str) -> None:
    def check(node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys))
            for _, value in node.value:
                check(value)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                check(value)

    check(yaml.compose((DATA / f"{name}.yaml").read_text(encoding="utf-8")))


def test_what_is_from_memory_is_on_recall() -> None:
    """The brief of the standards lists these as not yet confirmed at the source."""
    status = {entry.name: entry.status for entry in standards.register()}
    for name in ("months_trial", "did_adjustment", "security_rating", "trend", "cluster_rules", "pre_trend"):
        assert status[name] == "recall"
    for name in ("months_toolkit", "attrition_boundary", "baseline_equivalence"):
        assert status[name] == "verified"


def test_unknown_standard_is_named_with_the_likely_one() -> None:
    with pytest.raises(ValueError, match=r"no standard 'month_trial'.*Did you mean 'months_trial'"):
        standards.load("month_trial")
    with pytest.raises(ValueError, match="no standard"):
        standards.register(["../secret"])


def test_standards_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        standards.load("pre_trend").alpha = 0.5


def test_a_table_of_months_with_a_gap_is_refused() -> None:
    table = standards.load("months_trial").model_dump()
    table["bands"] = [band for band in table["bands"] if band["months"] != 3]
    with pytest.raises(ValidationError, match="band 4 does not follow band 2"):
        records.MonthsTable.model_validate(table)


def test_an_unknown_key_is_refused() -> None:
    rule = standards.load("pre_trend").model_dump() | {"alhpa": 0.1}
    with pytest.raises(ValidationError, match="alhpa"):
        records.PreTrendTest.model_validate(rule)


def test_thresholds_of_the_design() -> None:
    clusters = standards.load("cluster_rules")
    assert (clusters.small_sample_below, clusters.wild_bootstrap_minimum_treated) == (40, 6)
    assert standards.load("follow_up").headline_from_event_time == 2
    assert standards.load("pre_trend").alpha == 0.05
    icc = standards.load("intraclass_correlation")
    assert (icc.achievement, icc.other) == (0.20, 0.10)
    assert [entry.symbol for entry in standards.load("table_symbols").symbols] == ["z", "x", "c", "low", "u"]


def test_checklists_have_their_published_number_of_items() -> None:
    assert len(standards.load("tidier").items) == 12  # Hoffmann et al. 2014
    assert len(standards.load("trend").items) == 22  # Des Jarlais et al. 2004


def test_tidier_items_are_the_keys_of_the_cohort_file() -> None:
    assert [item.key for item in standards.load("tidier").items] == list(Tidier.model_fields)


def test_documentation_lists_every_standard_with_its_status(root: Path) -> None:
    page = (root / "docs" / "standards.md").read_text(encoding="utf-8")
    section = page.split("## The register")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    listed = [(row[0].strip(" `"), row[-1].strip()) for row in rows]
    assert listed == [(entry.name, entry.status) for entry in standards.register()]


def test_importing_the_standards_pulls_in_no_heavy_library() -> None:
    code = (
        "import sys; from plneval.standards import attrition, baseline, disclosure, effect_size, mdes; "
        "from plneval.standards import months, security; "
        "print(sorted({'numpy', 'pandas', 'scipy', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_undated_memberships_can_refuse_and_limits_rise() -> None:
    rules = standards.load("network_data")
    assert [rule.key for rule in rules.rules if rule.fail_above is not None] == ["membership_without_date"]
    turned = rules.model_dump()
    turned["rules"] = [{**turned["rules"][0], "caution_above": 0.3}]
    with pytest.raises(ValidationError, match="fails before it is at caution"):
        records.NetworkDataRules.model_validate(turned)
