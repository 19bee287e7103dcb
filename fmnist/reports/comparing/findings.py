"""All findings of a comparison, the answer to its question first."""

from typing import Final

from fmnist.comparison import Finding
from fmnist.reports.comparing.rules import answer, classes, fit, options, sureness, transfer
from fmnist.reports.comparing.rules.facts import Facts, Rule

RULES: Final[tuple[Rule, ...]] = (
    answer.answer,
    answer.families,
    answer.cost,
    sureness.cross_validated,
    options.seeds,
    fit.why,
    classes.classes,
    fit.gaps,
    fit.convergence,
    answer.capacity,
    transfer.origin,
    transfer.given,
    options.effects,
    sureness.near_duplicates,
)


def findings(facts: Facts) -> tuple[Finding, ...]:
    """What every rule says, in the order in which a report would."""
    return tuple(finding for rule in RULES for finding in rule(facts))
