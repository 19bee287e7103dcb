"""How sure a measured score is."""


def wilson_interval(correct: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Lower and upper bound of an accuracy measured as `correct` of `total` images.

    The score interval without continuity correction: E. B. Wilson, "Probable Inference, the Law of
    Succession, and Statistical Inference", JASA 22, 1927. It stays within 0 to 1 and does not
    collapse when every answer is right.
    """
    # scipy.stats takes longer to import than everything else in this package.
    from scipy.stats import binomtest

    interval = binomtest(correct, total).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)
