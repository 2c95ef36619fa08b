"""lme4's formula language: expansions as lme4 makes them, and nothing evaluated."""

from __future__ import annotations

import numpy as np
import pytest
from formulaic import model_matrix
from multilevel_reference import study

from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.formula import parse
from plneval.multilevel.frame import intake


def random_part(text: str) -> list[tuple[list[str], str]]:
    return [
        ([":".join(factor.text for factor in term) or "1" for term in each.terms], each.grouping.name)
        for each in parse(text).random
    ]


# Right-hand sides are those of lme4::findbars(lme4::expandDoubleVerts(formula)) in lme4 1.1-31.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y ~ x + (1|g)", [(["1"], "g")]),
        ("y ~ (x|g) + (1|h)", [(["1", "x"], "g"), (["1"], "h")]),
        ("y ~ (0 + x|g)", [(["x"], "g")]),
        ("y ~ (x - 1|g)", [(["x"], "g")]),
        ("y ~ (x||g)", [(["1"], "g"), (["x"], "g")]),
        ("y ~ (1 + x*z || g)", [(["1"], "g"), (["x"], "g"), (["z"], "g"), (["x:z"], "g")]),
        ("y ~ (1|a/b)", [(["1"], "b:a"), (["1"], "a")]),
        ("y ~ (1|a/b/c)", [(["1"], "c:(b:a)"), (["1"], "b:a"), (["1"], "a")]),
        ("y ~ (x||a/b)", [(["1"], "b:a"), (["1"], "a"), (["x"], "b:a"), (["x"], "a")]),
        ("y ~ (1|a:b)", [(["1"], "a:b")]),
        ("y ~ x+((x | g))", [(["1", "x"], "g")]),
    ],
)
def test_random_effects_expand_as_in_lme4(text: str, expected: list[tuple[list[str], str]]) -> None:
    assert random_part(text) == expected


def test_positions_count_the_expanded_terms() -> None:
    assert [term.position for term in parse("y ~ (x||a/b) + (1|c)").random] == [0, 1, 2, 3, 4]


def test_a_formula_without_fixed_terms_has_an_intercept() -> None:
    assert parse("y ~ (1|g)").fixed == ((),)
    assert parse("y ~ 0 + x + (1|g)").fixed == ((parse("y ~ x + (1|g)").fixed[1]),)


@pytest.mark.parametrize(
    "fixed",
    [
        "year*sex",
        "0 + sex",
        "sex:year",
        "C(year)*sex*treated",
        "0 + sex:C(year)",
        "treated:sex + year:sex",
        "poly(year, 2):sex",
        "C(year, contr.treatment(2))",
        "C(sex, levels=['Male', 'Female'])",
        "scale(weight) + center(year) + log(weight) + exp(year)",
        "(year + sex + treated)**2 - 1",
    ],
)
def test_columns_are_formulaics(fixed: str) -> None:
    frame = study("growth")
    expected = model_matrix(fixed, frame)
    (design,) = intake(f"score ~ {fixed} + (1|school)", frame)
    assert [design.names[at] for at in design.fixed] == list(expected.columns)
    found = np.stack([np.asarray(design.columns[at], dtype=float) for at in design.fixed], axis=1)
    np.testing.assert_allclose(found, expected.to_numpy(dtype=float), atol=1e-12)


def test_powers_may_be_written_as_in_r() -> None:
    (design,) = intake("score ~ I(year^2 + 1) + (1|school)", study("growth"))
    year = study("growth")["year"].to_numpy()
    np.testing.assert_array_equal(design.columns[design.fixed[1]], year**2 + 1)


def test_indicators_of_chosen_categories_may_vary_over_groups() -> None:
    (design,) = intake("score ~ year + (0 + dummy(sex, 'Male')|school)", study("growth"))
    (term,) = design.levels[0].terms
    np.testing.assert_array_equal(design.columns[term.columns[0]], study("growth")["sex"] == "Male")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("y ~ x", "no random effects"),
        ("y ~ {x + 1} + (1|g)", "braces"),
        ("y ~ __import__('os').system('true') + (1|g)", "cannot be read"),
        ("y ~ __import__('os') + (1|g)", "not a function that may be used"),
        ("y ~ I(x.real) + (1|g)", "x.real"),
        ("y ~ I(x.__class__.__mro__[1]) + (1|g)", "not a column"),
        ("y ~ I([x for x in y]) + (1|g)", "not a column"),
        ("y ~ I((lambda: 1)()) + (1|g)", "not a function"),
        ("y ~ C(x).a + (1|g)", "cannot be read"),
        ("y ~ C(x, eval('1')) + (1|g)", "C() takes a column"),
        ("y ~ log(C(x)) + (1|g)", "cannot stand within"),
        ("y ~ lgo(x) + (1|g)", "Did you mean 'log'"),
        ("y ~ factor(x) + (1|g)", "Did you mean 'C'"),
        ("y ~ offset(x) + (1|g)", "offsets are not supported"),
        ("y ~ x + 1|g", "brackets of its own"),
        ("y ~ x*(1|g)", "brackets of its own"),
        ("y ~ x - (1|g)", "only be added"),
        ("y ~ (0|g)", "no effect"),
        ("y ~ (1|g+h)", "joined by ':' or '/'"),
        ("y ~ (1|g|h)", "(effects | group)"),
        ("y ~ (1|g/g)", "named twice"),
        ("y ~ (x + (1|g)", "without its partner"),
        ("y ~ x + + (1|g) +", "ends with nothing"),
        ("y ~ 2:x + (1|g)", "number 2"),
        ("y ~ . + (1|g)", "name them"),
        ("y ~ y + (1|g)", "cannot explain itself"),
        ("a + b ~ x + (1|g)", "one column of numbers"),
        ("~ x + (1|g)", "needs the form"),
        ("", "needs the form"),
    ],
)
def test_anything_else_is_refused_and_named(text: str, found: str) -> None:
    with pytest.raises(MultilevelError) as error:
        parse(text)
    assert found in str(error.value)


def test_an_unknown_column_is_named_with_the_nearest() -> None:
    with pytest.raises(MultilevelError, match=r"'scool', which the data do not have\. Did you mean 'school'"):
        intake("score ~ year + (1|scool)", study("growth"))


def test_columns_with_blanks_stand_in_backticks() -> None:
    frame = study("growth").rename(columns={"school": "the school", "year": "the year"})
    (design,) = intake("score ~ `the year` + (1|`the school`)", frame)
    assert design.names == ("Intercept", "the year")
    assert design.levels[0].name == "the school"
