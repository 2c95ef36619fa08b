"""Published thresholds and formulas: the one place where a threshold lives.

Every number that decides something (a band, a limit, a default, a preset) is data in ``data/*.yaml`` with its source,
version and status; the modules beside it hold the formulas:

- :mod:`.effect_size`: Hedges' g, clustering corrections, Cox index, improvement index;
- :mod:`.months`: effect size to months of progress;
- :mod:`.baseline`: category of a baseline difference;
- :mod:`.attrition`: overall and differential attrition against a boundary;
- :mod:`.security`: indicative padlock score;
- :mod:`.mdes`: minimum detectable effect sizes;
- :mod:`.disclosure`: disclosure control presets.

Nothing here knows of PLNs, files of a study or Snakemake.
"""

from plneval.standards.catalogue import NAMES, RegisterEntry, load, register

__all__ = ["NAMES", "RegisterEntry", "load", "register"]
