"""All gates, in the order in which reports list them."""

from __future__ import annotations

from plneval.challenge import balance_gates, computation_gates, design_gates, network_gates, sensitivity_gates
from plneval.challenge.baseline_gate import baseline_equivalence
from plneval.challenge.comparison_gate import comparison_coverage
from plneval.challenge.evidence import Evidence
from plneval.challenge.gate import Gate

FORM = (
    design_gates.follow_up,
    baseline_equivalence,
    balance_gates.pre_trend,
    sensitivity_gates.breakdown,
    comparison_coverage,
    design_gates.clusters,
    design_gates.networks,
    design_gates.membership_timing,
    network_gates.network_data,
    design_gates.leavers,
    balance_gates.composition,
    balance_gates.missing_outcomes,
    balance_gates.attrition,
    design_gates.school_power,
    computation_gates.recomputation,
    computation_gates.convergence,
    computation_gates.effect_scale,
    computation_gates.recovery,
)


def form_gates(evidence: Evidence) -> list[Gate]:
    """Form every gate; one whose input is missing is a caution or a failure and is there all the same."""
    return [gate for gate in (form(evidence) for form in FORM) if gate is not None]
