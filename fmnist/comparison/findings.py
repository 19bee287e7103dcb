"""All findings of a comparison, the answer to its question first."""

from typing import Final

from fmnist.comparison import (
    rules_answer,
    rules_classes,
    rules_fit,
    rules_options,
    rules_robustness,
    rules_transfer,
)
from fmnist.comparison.results import Finding
from fmnist.comparison.rules_facts import Facts, Rule

RULES: Final[tuple[Rule, ...]] = (
    rules_answer.answer,
    rules_answer.families,
    rules_answer.cost,
    rules_robustness.cross_validated,
    rules_options.seeds,
    rules_fit.why,
    rules_classes.classes,
    rules_fit.gaps,
    rules_fit.convergence,
    rules_answer.capacity,
    rules_transfer.origin,
    rules_transfer.given,
    rules_options.effects,
    rules_robustness.near_duplicates,
)


def findings(facts: Facts) -> tuple[Finding, ...]:
    """What every rule says, in the order in which a report would."""
    return tuple(finding for rule in RULES for finding in rule(facts))
