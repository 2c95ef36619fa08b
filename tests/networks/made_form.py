"""A made form of one scale with three items, the third reversed."""

from __future__ import annotations

from plneval.config.instrument import Form

FORM = Form.model_validate(
    {
        "label": "Made form",
        "lowest": 1,
        "highest": 5,
        "roles": ["participant", "leader"],
        "minimum_answered": 0.6,
        "scales": {
            "trust": {
                "label": "Trust",
                "meaning": "More is more.",
                "measures": "condition",
                "sources": ["made up"],
                "items": {"a": {"wording": "A"}, "b": {"wording": "B"}, "c": {"wording": "C", "reverse": True}},
            }
        },
    }
)
