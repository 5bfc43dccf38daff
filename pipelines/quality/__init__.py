"""The gate: nothing is published that it has not passed.

Belongs here: the Great Expectations suite made from a contract, the expectations on a dataset as a whole (rejected share,
keys, row count against the last version), the verdict and its report. Does not: splitting rows (conform), committing (lake).
"""

from pipelines.quality.verdict import Finding, Verdict

__all__ = ["Finding", "Verdict"]
