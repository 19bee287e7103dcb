"""What all options have in common: checked when made, never changed, the same as text."""

from collections.abc import Mapping
from typing import Any, Final, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from fmnist.errors import BadInput

# Marks an option that changes how the work is done, never its result: it stays out of the
# configuration digest.
RUNTIME_ONLY: Final[dict[str, Any]] = {"affects_result": False}

# Names before version 2. Commands reject them; stored runs may still have them.
RENAMED_OPTIONS: Final = {
    "normalise": "normalize",
    "optimiser": "optimizer",
    "shift": "translate",
    "erase": "random_erasing",
    "teacher_share": "distillation_weight",
    "test_flip": "tta_flip",
}


class Options(BaseModel):
    """Checked options of one entry point; never changed, only copied with `model_copy`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _plain_message(cls, values: Any, build: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return build(values)
        except ValidationError as error:
            first, *others = error.errors()
            name = str(first["loc"][0]) if first["loc"] else "options"
            # An option that may be one of several kinds has a complaint from each of them.
            told = [first["msg"], *(each["msg"] for each in others if each["loc"][:1] == (name,))]
            raise BadInput(
                f"{name}={first['input']}: {' or '.join(told).lower()}; "
                f"see --help for what {name} accepts"
            ) from error

    def as_text(self) -> dict[str, str]:
        """Every option as the text that is logged, and that parses back to the same value."""
        return {name: str(getattr(self, name)) for name in type(self).model_fields}

    def fingerprint_fields(self) -> dict[str, str]:
        """The options that another result would follow from, as text."""
        return {name: text for name, text in self.as_text().items() if self._affects(name)}

    @classmethod
    def from_text(cls, texts: Mapping[str, str]) -> Self:
        """Parse logged parameters; parameters that are not options are ignored."""
        values = {RENAMED_OPTIONS.get(name, name): text for name, text in texts.items()}
        return cls.model_validate({k: v for k, v in values.items() if k in cls.model_fields})

    @classmethod
    def _affects(cls, name: str) -> bool:
        extra = cls.model_fields[name].json_schema_extra
        return not (isinstance(extra, dict) and extra.get("affects_result") is False)


class CacheOptions(Options):
    """Options of work that keeps something in the cache folder: data, features, locks."""

    cache_dir: str = Field(
        "auto",
        description="where data and features are cached; auto: the user's cache folder",
        json_schema_extra=RUNTIME_ONLY,
    )
