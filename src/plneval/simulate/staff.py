"""Teaching posts, the teachers who hold them year by year, and which of them take part in a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plneval.config.cohort import Simulation
from plneval.simulate.memberships import Memberships
from plneval.simulate.process import GRADES, Process
from plneval.simulate.schools import Schools
from plneval.simulate.streams import distinct_codes, stream

CLASS_SIZE = 32
SPECIALIST_GRADES = (5, 6)
JOB_SHARE = 0.4
"""Share of the lessons that the second teacher of a shared class gives."""
CLASS_TEACHER, SECOND_TEACHER, MATHS_SPECIALIST, HEAD = (
    "class teacher",
    "class teacher (job share)",
    "maths lead",
    "head",
)


@dataclass(frozen=True)
class Staff:
    """Posts (one entry each) and teachers (one entry each); a teacher holds one post for a run of years."""

    post_school: NDArray[np.int64]
    post_role: list[str]
    participates: NDArray[np.bool_]
    """Posts whose holders take part while the school is a member."""
    class_post: NDArray[np.int64]
    """Post by school, grade (position in GRADES) and class; -1 beyond the school's classes."""
    second_post: NDArray[np.int64]
    """Second post of a shared class, same shape; -1 for most."""
    specialist_post: NDArray[np.int64]
    """Post of the maths lead by school, -1 for most."""
    classes: NDArray[np.int64]
    """Parallel classes by school."""
    teacher: NDArray[np.int64]
    """Teacher by post and study year."""
    code: list[str]
    """Number of each teacher."""


def make_staff(simulation: Simulation, schools: Schools, memberships: Memberships, process: Process) -> Staff:
    """Draw posts, holders and participants."""
    rng = stream(simulation.seed, "staff")
    classes = np.maximum(1, np.ceil(schools.size / CLASS_SIZE - 0.15)).astype(np.int64)
    shape = (schools.count, len(GRADES), int(classes.max()))
    class_post, second_post = np.full(shape, -1, dtype=np.int64), np.full(shape, -1, dtype=np.int64)
    specialist_post = np.full(schools.count, -1, dtype=np.int64)
    post_school: list[int] = []
    post_role: list[str] = []

    def new_post(school: int, role: str) -> int:
        post_school.append(school)
        post_role.append(role)
        return len(post_school) - 1

    for school in range(schools.count):
        new_post(school, HEAD)
        for grade in range(len(GRADES)):
            for number in range(int(classes[school])):
                class_post[school, grade, number] = new_post(school, CLASS_TEACHER)
                if rng.random() < 0.08:
                    second_post[school, grade, number] = new_post(school, SECOND_TEACHER)
        if rng.random() < 0.25:
            specialist_post[school] = new_post(school, MATHS_SPECIALIST)
    years = len(memberships.years)
    changes = rng.random((len(post_school), years)) < process.turnover
    changes[:, 0] = True
    # Teachers are numbered along posts and years: a new number wherever the holder changes.
    teacher = np.cumsum(changes.ravel()).reshape(changes.shape).astype(np.int64) - 1
    schools_of_posts = np.array(post_school, dtype=np.int64)
    return Staff(
        post_school=schools_of_posts,
        post_role=post_role,
        participates=_participants(rng, schools_of_posts, post_role, memberships, process.participating_teachers),
        class_post=class_post,
        second_post=second_post,
        specialist_post=specialist_post,
        classes=classes,
        teacher=teacher,
        code=[f"{code:07d}" for code in distinct_codes(rng, 100_000, 9_900_000, int(teacher.max()) + 1)],
    )


def _participants(
    rng: np.random.Generator, school: NDArray[np.int64], role: list[str], memberships: Memberships, share: float
) -> NDArray[np.bool_]:
    """In each member school some class teachers, at least one, and some others learn on behalf of their colleagues."""
    roles = np.array(role)
    participates = np.zeros(len(role), dtype=np.bool_)
    for number in range(len(memberships.network)):
        posts = np.flatnonzero((school == number) & (roles == CLASS_TEACHER))
        chosen = rng.choice(posts, size=max(1, round(share * len(posts))), replace=False)
        others = np.flatnonzero((school == number) & ((roles == SECOND_TEACHER) | (roles == MATHS_SPECIALIST)))
        chosen = np.concatenate([chosen, others[rng.random(len(others)) < share]])
        # Drawn for every school, so that memberships do not shift the draws.
        if memberships.network[number] >= 0:
            participates[chosen] = True
    return participates
