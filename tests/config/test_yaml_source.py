"""YAML is read as plain data, and every refusal names file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from plneval.config.yaml_source import read_yaml
from plneval.errors import UserError


def written(folder: Path, text: str) -> Path:
    path = folder / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_values_and_lines_are_kept(tmp_path: Path) -> None:
    source = read_yaml(written(tmp_path, "a: 1\nb:\n  - x\n  - c: 2.5\n"))
    assert source.value == {"a": 1, "b": ["x", {"c": 2.5}]}
    assert source.line_of(("b", 1, "c")) == 4
    assert source.line_of(("b", 1, "absent")) == 4


def test_a_duplicate_key_is_refused_with_both_lines(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x\.yaml:3: the key 'a' stands twice \(first on line 1\)"):
        read_yaml(written(tmp_path, "a: 1\nb: 2\na: 3\n"))


def test_a_duplicate_key_deep_in_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x\.yaml:5: the key 'score' stands twice \(first on line 3\)"):
        read_yaml(written(tmp_path, "a:\n  columns:\n    score: A\n    id: B\n    score: C\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!python/object/apply:os.system ['true']\n", "tag"),
        ("a: !include other.yaml\n", "tag"),
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("a: &x {k: 1}\nb:\n  <<: *x\n", "merge keys"),
        ("a: [1\n", "not valid YAML"),
        ("? [1, 2]\n: 3\n", "a key must be plain text"),
    ],
)
def test_anything_but_plain_data_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=rf"x\.yaml:\d+: .*{message}"):
        read_yaml(written(tmp_path, text))


def test_keys_stay_text(tmp_path: Path) -> None:
    assert read_yaml(written(tmp_path, "no: 1\n2019: 2\n2019-01-01: 3\n")).value == {
        "no": 1,
        "2019": 2,
        "2019-01-01": 3,
    }


def test_dates_stay_text(tmp_path: Path) -> None:
    assert read_yaml(written(tmp_path, "a: 2019-01-31\n")).value == {"a": "2019-01-31"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.yaml: there is no such file"):
        read_yaml(tmp_path / "absent.yaml")


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes("a: Grün\n".encode("cp1252"))
    with pytest.raises(UserError, match=r"x\.yaml: the file is not UTF-8 \(byte 5\)"):
        read_yaml(path)


def test_an_empty_file_is_an_empty_mapping(tmp_path: Path) -> None:
    assert read_yaml(written(tmp_path, "# nothing\n")).value == {}
