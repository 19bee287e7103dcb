"""The workflow of `promote`: make a trained model the champion if it passes the gates."""

from typing import TYPE_CHECKING, Final

from fmnist import cli, names
from fmnist.data import sources
from fmnist.errors import PromotionRefused, WorkFailed
from fmnist.options import Promote
from fmnist.system.locks import exclusive_lock
from fmnist.tracking.address import store_name
from fmnist.tracking.preflight import check_store

if TYPE_CHECKING:
    from fmnist.tracking.registry import Registry

_LOCK_SECONDS: Final = 300


def promote(options: Promote) -> None:
    """Promote or roll back in one run; promotions of the same name on this machine take turns."""
    name = options.name
    check_store()
    locks = sources.cache_root(options.cache_dir) / "locks"
    with exclusive_lock(locks / f"promote-{store_name()}-{name}.lock", _LOCK_SECONDS) as other:
        if other:
            raise WorkFailed(f"another promotion of {name} is running: {other}; run again later")
        from fmnist.tracking.registry import Registry
        from fmnist.tracking.store import open_store

        registry = Registry(open_store(), name)
        if options.to_version:
            _roll_back(options, registry)
        else:
            _promote(options, registry)


def _promote(options: Promote, registry: "Registry") -> None:
    from fmnist.evaluation import metrics
    from fmnist.registry import model_card
    from fmnist.registry.gates import check_gates, format_failures, load_predictions
    from fmnist.tracking.run import open_run

    stored, current = registry.candidate(options.run), registry.champion()
    results = check_gates(options, stored, current, registry.out_of_fold)
    failures = format_failures(results)
    promoted = options.force == "on" or not failures
    summary: dict[str, float] = {names.PROMOTED: promoted}
    if validation := load_predictions(stored, names.PREDICTIONS_VALIDATION):
        summary[names.CANDIDATE_VAL_ACCURACY] = metrics.accuracy(validation[1])
    if current and current.version:
        summary[names.CHAMPION_VERSION] = current.version
    tags = {names.TAG_CANDIDATE: stored.run_id, names.TAG_MODEL: stored.params["model"]}
    run_name = _run_name(options, stored.version)
    with open_run("promote", options, tags, name=run_name) as tracked:
        tracked.copy_inputs(stored.run_id)
        label, card = stored.label, model_card.render(stored, results)
        tracked.log_files(
            {names.TABLE_GATES: model_card.gates_csv(results), names.MODEL_CARD: card.encode()}
        )
        if promoted:
            status = names.REJECTED if failures else names.APPROVED
            version = registry.publish(stored, card, tracked.run_id, status)
            label = f"version {version}"
            if not stored.version:
                tracked.rename(run_name, _run_name(options, version))
            registry.set_champion(version, current)
            if not failures:
                registry.set_challenger(version)
        elif stored.version:
            registry.reject(stored.version, failures)
        tracked.log_summary(summary)
        decision = f"{registry.name}: {_describe(label, len(results), failures, promoted)}"
        tracked.set_tags({names.TAG_NOTE: f"{decision}.\n\n{model_card.gates_table(results)}"})
        if not promoted:
            cli.print_summary(tracked, "python -m entrypoints.train with other options")
            raise PromotionRefused(f"{decision}; champion and challenger are unchanged")
        cli.print_result(decision)
    cli.print_summary(tracked, f"python -m fmnist serve models:/{registry.name}@champion")


def _run_name(options: Promote, version: int | None) -> str:
    return f"promote {options.name}" + (f" v{version}" if version else "")


def _describe(label: str, gates: int, failures: str, promoted: bool) -> str:
    if not promoted:
        return f"{label} is rejected: {failures}"
    if failures:
        return f"{label} is the champion by force=on, despite {failures}"
    passed = f"passed {gates} gate{'s' * (gates > 1)}" if gates else "had no gates to pass"
    return f"{label} {passed} and is the champion"


def _roll_back(options: Promote, registry: "Registry") -> None:
    from fmnist.tracking.run import open_run

    name = _run_name(options, options.to_version)
    with open_run("promote", options, {}, name=f"{name} (rollback)") as tracked:
        message = registry.roll_back(options.to_version)
        tracked.set_tags({names.TAG_NOTE: message})
        cli.print_result(message)
    cli.print_summary(tracked, f"python -m fmnist serve models:/{registry.name}@champion")
