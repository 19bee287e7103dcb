"""The model registry: which models stand under a name, and the aliases that point at them."""

import time
from collections.abc import Mapping
from typing import Final

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from fmnist import names
from fmnist.errors import BadInput, WorkFailed
from fmnist.options import Crossval, Options, Train
from fmnist.results.training import StoredModel
from fmnist.tracking.logged import RunStore
from fmnist.tracking.model import model_bytes
from fmnist.tracking.versions import register, versions

_ABSENT: Final = "RESOURCE_DOES_NOT_EXIST"
_LOGGED_MODEL: Final = "models:/m-"
_FILES: Final = (
    names.PREDICTIONS_VALIDATION, names.PREDICTIONS_TEST, names.TABLE_PER_CLASS,
)  # fmt: skip
_DESCRIPTION_LENGTH: Final = 5000  # of the column in MLflow's databases


class Registry:
    """The versions of one registered name."""

    def __init__(self, client: MlflowClient, name: str) -> None:
        self._client = client
        self._shelf = RunStore()
        self.name = name

    def candidate(self, asked: str) -> StoredModel:
        """The model to promote, whole and trained by a run that is FINISHED.

        Args:
            asked: the id of a run of `train`, or `auto` for that of the newest version.

        Raises:
            BadInput: there is no such model, or it cannot be used.
        """
        if asked == "auto":
            known = versions(self._client, self.name)
            if not known:
                raise BadInput(
                    f"register_as={self.name}: no version of that name in this registry; train "
                    f"with register_as={self.name}, or name a run of train with run=RUN_ID"
                )
            asked = known[-1].run_id or ""
        try:
            run = self._client.get_run(asked)
        except MlflowException as error:
            if error.error_code != _ABSENT:
                raise
            raise BadInput(f"run={asked}: no such run on this tracking store") from error
        kind = run.data.tags.get(names.TAG_KIND, "foreign run")
        if (kind, run.info.status) != ("train", "FINISHED"):
            raise BadInput(
                f"run={asked}: wanted a train run that is FINISHED, got a {kind} that is "
                f"{run.info.status}"
            )
        model_id = self._whole_model(run)
        same = [v for v in versions(self._client, self.name) if v.source == f"models:/{model_id}"]
        return self._stored(asked, model_id, same[0] if same else None)

    def champion(self) -> StoredModel | None:
        """The model in use; None for a name without one."""
        number = self._alias(names.CHAMPION)
        if number is None:
            return None
        version = self._client.get_model_version(self.name, str(number))
        source = version.source or ""
        model_id = source.removeprefix("models:/") if source.startswith(_LOGGED_MODEL) else ""
        run_id = version.run_id or ""
        try:
            return self._stored(run_id, model_id, version)
        except BadInput as error:
            lost = f"the run of version {number} is not on this store: {error}"
            return StoredModel(run_id, model_id, number, version.tags, {}, {}, {}, {}, lost)

    def out_of_fold(self, model: StoredModel) -> bytes | None:
        """The out-of-fold answers of the newest cross-validation of the model's data and options.

        The seed may differ: it chooses other rows and first weights of the same configuration.
        """
        same_data = {names.TAG_DATA_DIGEST: model.tags.get(names.TAG_DATA_DIGEST, "")}
        wanted = _configuration(Train, model.params)
        for run in self._shelf.newest_first("crossval", same_data):
            if run.done and _configuration(Crossval, run.parameters) == wanted:
                files = self._shelf.files(run, [names.PREDICTIONS_OUT_OF_FOLD])
                return files.get(names.PREDICTIONS_OUT_OF_FOLD)
        return None

    def publish(self, model: StoredModel, card: str, by_run: str) -> int:
        """The model's version number, after its card stands there; made if there was none."""
        version = model.version or register(
            self._client, model.model_id, self.name, _tags_to_keep(model.tags)
        )
        number = str(version)
        if len(card) > _DESCRIPTION_LENGTH:
            rest = f"\n\n… the whole card is {names.MODEL_CARD} of run {by_run}."
            card = card[: _DESCRIPTION_LENGTH - len(rest)] + rest
        self._client.update_model_version(self.name, number, card)
        self._client.set_model_version_tag(self.name, number, names.VERSION_PROMOTED_BY, by_run)
        if names.VERSION_ROLLED_BACK in model.version_tags:
            self._client.delete_model_version_tag(self.name, number, names.VERSION_ROLLED_BACK)
        return version

    def set_challenger(self, version: int) -> None:
        """Let the alias `challenger` point at the version, unless it points at a newer one."""
        if version > (self._alias(names.CHALLENGER) or 0):
            self._client.set_registered_model_alias(self.name, names.CHALLENGER, str(version))

    def set_champion(self, version: int, instead_of: StoredModel | None) -> None:
        """Let the alias `champion` point at the version.

        Raises:
            WorkFailed: the champion is no longer the one that the version was compared with.
        """
        found = self._alias(names.CHAMPION)
        if found != (instead_of.version if instead_of else None):
            raise WorkFailed(
                f"the champion of {self.name} became version {found} meanwhile, by another "
                "machine; nothing was moved, run again to compare with that one"
            )
        self._client.set_registered_model_alias(self.name, names.CHAMPION, str(version))

    def roll_back(self, version: int) -> str:
        """Move `champion` back to a version and say so at the one it leaves; a sentence on it.

        Raises:
            BadInput: there is no such version.
        """
        before = self._alias(names.CHAMPION)
        if version not in [int(v.version) for v in versions(self._client, self.name)]:
            raise BadInput(f"to_version={version}: {self.name} has no such version")
        self._client.set_registered_model_alias(self.name, names.CHAMPION, str(version))
        if before in (None, version):
            return f"{self.name}: the champion is version {version}"
        told = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}: back to version {version}"
        self._client.set_model_version_tag(self.name, str(before), names.VERSION_ROLLED_BACK, told)
        return f"{self.name}: the champion is version {version} again, no longer version {before}"

    def _alias(self, alias: str) -> int | None:
        """The version that the alias points at."""
        try:
            aliases = self._client.get_registered_model(self.name).aliases
        except MlflowException as error:  # only where it says so: a fault is no missing champion
            if error.error_code != _ABSENT:
                raise
            return None
        return int(aliases[alias]) if alias in aliases else None

    def _whole_model(self, run: Run) -> str:
        """The id of the run's logged model, all of whose files are there.

        MLflow registers a model whose upload was cut off like any other.
        """
        made = run.outputs.model_outputs if run.outputs else []
        told = f"run={run.info.run_id}: wanted a run with one whole model"
        if len(made) != 1:
            raise BadInput(f"{told}, got {len(made)} models")
        model_id = str(made[0].model_id)
        try:
            status = str(self._client.get_logged_model(model_id).status)
            size = model_bytes(self._client, model_id)
        except MlflowException as error:
            raise BadInput(f"{told}, got one that cannot be read: {error}") from error
        wanted = run.data.metrics.get(names.MODEL_BYTES)
        if status != "READY" or size != wanted:
            raise BadInput(
                f"{told}, got {model_id}, which is {status} with {size:,} bytes of "
                f"{wanted or 0:,.0f}; train again"
            )
        return model_id

    def _stored(self, run_id: str, model_id: str, version: ModelVersion | None) -> StoredModel:
        [run] = self._shelf.named([run_id])
        return StoredModel(
            run_id=run_id,
            model_id=model_id,
            version=int(version.version) if version else None,
            version_tags=version.tags if version else {},
            params=run.parameters,
            tags=run.tags,
            metrics=run.metrics,
            files=self._shelf.files(run, _FILES),
        )


def _configuration(options: type[Options], params: Mapping[str, str]) -> dict[str, str]:
    """What `train` and `crossval` both have to say of how a network is trained, as text."""
    shared = Train.model_fields.keys() & Crossval.model_fields.keys() - {"seed"}
    told = options.from_text(params).fingerprint_fields()
    return {name: text for name, text in told.items() if name in shared}


def _tags_to_keep(tags: Mapping[str, str]) -> dict[str, str]:
    """What a version says of its model, as `train` would have said it."""
    kept = (names.TAG_MODEL, names.TAG_DATA_DIGEST, names.TAG_CONFIG_DIGEST, names.TAG_WEIGHTS)
    return {name: tags[name] for name in kept if name in tags}
