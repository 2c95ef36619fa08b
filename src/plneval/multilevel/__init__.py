"""Linear mixed models for nested groups, exactly and at a cost that does not grow with the rows.

The package imports nothing else of plneval. The mathematics and the contract between its parts: ``docs/multilevel.md``.
"""
