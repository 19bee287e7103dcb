"""`promote`: make a trained model the champion of its registered name, if it passes the gates."""

from typing import TYPE_CHECKING

from fmnist import names
from fmnist.data import sources
from fmnist.errors import PromotionRefused, WorkFailed
from fmnist.options import Promote
from fmnist.system.locks import exclusive_lock
from fmnist.tracking.address import check_server, store_name

if TYPE_CHECKING:
    from fmnist.tracking.registry import Registry

_PATIENCE_SECONDS = 300


def promote(options: Promote) -> None:
    """One tracked run; from the look at the champion to its change, no other promotion works."""
    name = options.name
    check_server()
    locks = sources.cache_root(options.cache_dir) / "locks"
    with exclusive_lock(locks / f"promote-{store_name()}-{name}.lock", _PATIENCE_SECONDS) as other:
        if other:
            raise WorkFailed(f"another promotion for {name} goes on: {other}; run again later")
        from fmnist.tracking.registry import Registry
        from fmnist.tracking.store import open_store

        registry = Registry(open_store(), name)
        if options.to_version:
            _roll_back(options, registry)
        else:
            _promote(options, registry)


def _promote(options: Promote, registry: "Registry") -> None:
    from fmnist.registry import gates as promotion
    from fmnist.registry import model_card as report
    from fmnist.tracking.run import open_run

    stored, champion = registry.candidate(options.run), registry.champion()
    candidate = report.candidate(stored)
    rival = report.candidate(champion) if champion else None
    gates = promotion.gates(
        options, candidate, rival, lambda model: report.out_of_fold(registry.out_of_fold(model))
    )
    refused = promotion.refusal(gates)
    promoted = options.force == "on" or not refused
    tags = {names.TAG_CANDIDATE: stored.run_id, names.TAG_MODEL: stored.params["model"]}
    with open_run("promote", options, tags) as tracked:
        label, card = stored.label, report.card(stored, gates)
        files = {names.TABLE_GATES: report.gates_csv(gates), names.MODEL_CARD: card.encode()}
        tracked.log_files(files)
        if promoted:
            version = registry.publish(stored, card, tracked.run_id)
            label = f"version {version}"
            registry.set_champion(version, champion)
            if not refused:
                registry.set_challenger(version)
        tracked.log_summary(report.metrics(candidate, rival, promoted))
        told = report.decision(registry.name, label, refused, promoted)
        tracked.set_tags({names.TAG_NOTE: f"{told}.\n\n{report.gates_table(gates)}"})
        if not promoted:
            raise PromotionRefused(f"{told}; champion and challenger are as they were")
        print(told)


def _roll_back(options: Promote, registry: "Registry") -> None:
    from fmnist.tracking.run import open_run

    with open_run("promote", options, {}) as tracked:
        told = registry.roll_back(options.to_version)
        tracked.set_tags({names.TAG_NOTE: told})
        print(told)
