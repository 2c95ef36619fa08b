"""The reports: released tables only → funder report, technical report, the data behind every figure."""
