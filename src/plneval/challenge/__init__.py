"""Gates and verdicts: the one place where results are held against thresholds and put into words."""
