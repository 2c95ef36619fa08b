"""Suppression and rounding of counts: examples worked by hand, and what must hold for all tables."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plneval.config.report import Disclosure
from plneval.release.disclosure import Identity, is_small, round_count, rounded, suppressed

TEN = Disclosure(minimum_count=10, round_to=5)
EXACT = Disclosure(minimum_count=10, round_to=1)
OPENSAFELY = Disclosure(minimum_count=8, round_to=5)


def row(*parts: int) -> tuple[dict[str, int], list[Identity]]:
    """A row of counts ``a, b, c, …`` with their ``total``."""
    names = [chr(ord("a") + place) for place in range(len(parts))]
    return {**dict(zip(names, parts, strict=True)), "total": sum(parts)}, [Identity("total", tuple(names))]


@pytest.mark.parametrize(
    ("count", "base", "expected"),
    [(0, 5, 0), (12, 5, 10), (13, 5, 15), (10, 5, 10), (15, 10, 20), (14, 10, 10), (7, 1, 7), (2, 5, 0), (3, 5, 5)],
)
def test_counts_are_rounded_to_the_nearest_multiple_and_halves_go_up(count: int, base: int, expected: int) -> None:
    assert round_count(count, base) == expected


def test_suppression_comes_before_rounding() -> None:
    # The trap: 6 and 7 round to 5, 8 to 10. Rounded first, a true 8 would pass a rule of "below 8 is redacted" and a
    # true 7 would be 5; redacted first, 7 goes and 8 becomes 10. Counts of 1 to 7 must leave no trace.
    counts = {"six": 6, "seven": 7, "eight": 8, "none": 0}
    hidden = suppressed(counts, [], OPENSAFELY)
    assert hidden == {"six", "seven"}
    assert rounded(counts, hidden, [], OPENSAFELY) == {"eight": 10, "none": 0}
    # 9 rounds to 10, which is not below 10: rounding first would publish it.
    assert suppressed({"nine": 9}, [], TEN) == {"nine"}


def test_zero_is_shown_and_nothing_else_becomes_zero() -> None:
    coarse = Disclosure(minimum_count=3, round_to=10)
    assert is_small(4, coarse)
    assert not is_small(5, coarse)
    assert not is_small(0, coarse)
    assert rounded({"a": 5}, (), [], coarse) == {"a": 10}


def test_next_smallest_count_of_the_row_goes_too() -> None:
    counts, sums = row(4, 30, 21, 500)
    assert suppressed(counts, sums, TEN) == {"a", "c"}


def test_zeros_do_not_hide_a_count() -> None:
    counts, sums = row(4, 0, 21, 500)
    assert suppressed(counts, sums, TEN) == {"a", "c"}


def test_two_small_counts_whose_sum_gives_them_away_take_a_third() -> None:
    # 1 + 1 = 2 can be worked out as 52 - 50, and then both are 1.
    counts, sums = row(1, 1, 50)
    assert suppressed(counts, sums, TEN) == {"a", "b", "c"}
    # 6 + 7 = 13 leaves each anywhere from 4 to 9 only; the rule asks for 1 to 9.
    counts, sums = row(6, 7, 50)
    assert suppressed(counts, sums, TEN) == {"a", "b"}


def test_both_categories_of_two_go_together() -> None:
    counts, sums = row(3, 400)
    assert suppressed(counts, sums, TEN) == {"a", "b"}


def test_small_total_goes_with_its_only_part() -> None:
    counts, sums = row(3, 0)
    assert suppressed(counts, sums, TEN) == {"a", "total"}


def test_flow_hides_the_steps_around_a_small_exclusion() -> None:
    # 500, minus 40, minus 3, minus 60: 460, 457, 397. The 3 is 460 - 457.
    counts = {"r0": 500, "e1": 40, "r1": 460, "e2": 3, "r2": 457, "e3": 60, "r3": 397}
    sums = [Identity(f"r{k}", (f"r{k + 1}", f"e{k + 1}")) for k in range(3)]
    # The 457 has to go with the 3, and one of the counts that would give the 457 back: 60, the smallest.
    assert suppressed(counts, sums, EXACT) == {"e2", "r2", "e3"}


def test_cells_that_readers_need_are_kept_where_others_will_do() -> None:
    # 500 - 40 = 460, - 3 = 457, - 0 = 457: the end of the flow is needed, so the steps before the 3 go.
    counts = {"r0": 500, "e1": 40, "r1": 460, "e2": 3, "r2": 457, "e3": 0, "r3": 457}
    sums = [Identity(f"r{k}", (f"r{k + 1}", f"e{k + 1}")) for k in range(3)]
    assert suppressed(counts, sums, EXACT, keep=["r0", "r3"]) == {"e1", "r1", "e2"}
    # Where nothing else is left, it goes: a reader who knows a part of two knows the other.
    counts, sums = row(3, 400)
    assert suppressed(counts, sums, EXACT, keep=["b", "total"]) == {"a", "b"}


def test_flow_is_worked_out_again_from_rounded_parts() -> None:
    counts = {"r0": 523, "e1": 41, "r1": 482, "e2": 62, "r2": 420}
    sums = [Identity("r1", ("r2", "e2")), Identity("r0", ("r1", "e1"))]
    shown = rounded(counts, suppressed(counts, sums, TEN), sums, TEN)
    # 420 + 60 = 480, + 40 = 520. Rounded by itself 523 would be 525.
    assert shown == {"r0": 520, "e1": 40, "r1": 480, "e2": 60, "r2": 420}


def test_total_beside_a_hidden_part_is_rounded_by_itself() -> None:
    counts, sums = row(4, 21, 500)
    hidden = suppressed(counts, sums, TEN)
    assert rounded(counts, hidden, sums, TEN) == {"c": 500, "total": 525}


def test_two_way_table_protects_along_both_ways() -> None:
    counts = {"ma": 4, "mb": 50, "ca": 60, "cb": 70, "m": 54, "c": 130, "a": 64, "b": 120, "all": 184}
    sums = [
        Identity("m", ("ma", "mb")),
        Identity("c", ("ca", "cb")),
        Identity("a", ("ma", "ca")),
        Identity("b", ("mb", "cb")),
        Identity("all", ("m", "c")),
        Identity("all", ("a", "b")),
    ]
    hidden = suppressed(counts, sums, EXACT)
    assert values_that_fit("ma", counts, sums, hidden) >= set(range(1, 10))


def test_counts_withheld_for_another_reason_are_protected_as_well() -> None:
    counts, sums = row(200, 300, 500)
    assert suppressed(counts, sums, TEN, ["a"]) == {"a", "b"}


def test_sums_that_do_not_hold_help_nobody() -> None:
    assert suppressed({"a": 4, "b": 30, "total": 90}, [Identity("total", ("a", "b"))], TEN) == {"a"}


def values_that_fit(cell: str, counts: dict[str, int], sums: list[Identity], hidden: set[str]) -> set[int]:
    """Values from 1 to 9 that a reader still has to allow for, by trying them: independent of the code under test.

    One hidden count after the other is tried; those that a sum then settles are worked out. Hidden counts are at
    least 1, so a hidden total is at least the number of its parts: smaller values are counted as allowed for.
    """

    def least_of(name: str) -> int:
        whole = [[part for part in one.parts if counts[part] > 0] for one in sums if one.total == name]
        return max([1, *(sum(least_of(part) for part in parts) for parts in whole)])

    least = least_of(cell)
    visible = {name: count for name, count in counts.items() if name not in hidden}
    largest = max(counts.values()) + 10

    def settle(known: dict[str, int]) -> dict[str, int] | None:
        known = dict(known)
        changed = True
        while changed:
            changed = False
            for identity in sums:
                open_cells = [name for name in identity.cells if name not in known]
                parts = sum(known[part] for part in identity.parts if part in known)
                if not open_cells and parts != known[identity.total]:
                    return None
                if len(open_cells) == 1:
                    name = open_cells[0]
                    known[name] = parts if name == identity.total else known[identity.total] - parts
                    changed = True
                    if known[name] < 1:
                        return None
        return known

    def possible(known: dict[str, int]) -> bool:
        settled = settle(known)
        if settled is None:
            return False
        unknown = sorted(hidden - settled.keys())
        if not unknown:
            return True
        return any(possible({**settled, unknown[0]: value}) for value in range(1, largest))

    return {value for value in range(1, 10) if value < least or possible({**visible, cell: value})}


small_counts = st.lists(st.integers(0, 30), min_size=2, max_size=4)


@settings(max_examples=40, deadline=None)
@given(small_counts)
def test_suppressed_count_of_a_row_cannot_be_worked_out(parts: list[int]) -> None:
    counts, sums = row(*parts)
    hidden = suppressed(counts, sums, EXACT)
    for cell in (name for name in hidden if is_small(counts[name], EXACT)):
        assert values_that_fit(cell, counts, sums, hidden) >= set(range(1, 10))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 14), min_size=1, max_size=3), st.integers(0, 30))
def test_suppressed_count_of_a_flow_cannot_be_worked_out(exclusions: list[int], left: int) -> None:
    counts = {}
    remaining = left + sum(exclusions)
    counts["r0"] = remaining
    for step, lost in enumerate(exclusions, start=1):
        remaining -= lost
        counts[f"e{step}"], counts[f"r{step}"] = lost, remaining
    sums = [Identity(f"r{k}", (f"r{k + 1}", f"e{k + 1}")) for k in range(len(exclusions))]
    hidden = suppressed(counts, sums, EXACT)
    for cell in hidden:
        if is_small(counts[cell], EXACT):
            assert values_that_fit(cell, counts, sums, hidden) >= set(range(1, 10))


@settings(max_examples=100, deadline=None)
@given(small_counts, st.data())
def test_one_more_pupil_moves_released_numbers_by_nothing_or_by_the_multiple(
    parts: list[int], data: st.DataObject
) -> None:
    """Where the same cells are shown before and after, each moves by 0 or 5: a single pupil is never seen."""
    place = data.draw(st.integers(0, len(parts) - 1))
    more = [count + (position == place) for position, count in enumerate(parts)]
    shown = []
    for counts, sums in (row(*parts), row(*more)):
        shown.append(rounded(counts, suppressed(counts, sums, TEN), sums, TEN))
    before, after = shown
    for published in shown:
        assert all(count % 5 == 0 and (count == 0 or count >= 10) for count in published.values())
    if before.keys() == after.keys():
        assert {after[name] - before[name] for name in before} <= {0, 5}
    else:
        # A cell that appears or goes was or becomes hidden by the rule; nothing says by how much it changed.
        assert all((after[name] - before[name]) % 5 == 0 for name in before.keys() & after.keys())


@settings(max_examples=100, deadline=None)
@given(small_counts)
def test_totals_shown_beside_all_their_parts_add_up(parts: list[int]) -> None:
    counts, sums = row(*parts)
    shown = rounded(counts, suppressed(counts, sums, TEN), sums, TEN)
    if shown.keys() == counts.keys():
        assert shown["total"] == sum(shown[name] for name in shown if name != "total")


def test_rounding_is_monotone_and_close() -> None:
    for base, count in product((1, 3, 5, 10), range(60)):
        assert abs(round_count(count, base) - count) * 2 <= base
    assert all(round_count(a, 5) <= round_count(b, 5) for a, b in pairwise(range(60)))
