"""Base classes and field types of options: validated once, immutable, convertible to text."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from fmnist.errors import BadInput

# Options that do not affect results; the configuration digest leaves them out. Instead of data_dir
# and recipe, it has the digest of the data and the values that the recipe sets.
RUNTIME_ONLY: Final = frozenset(
    {
        "alarm_runs", "backend", "cache_dir", "checkpoints", "cluster_address", "data_dir",
        "done_within_hours", "if_done", "output_dir", "recipe", "register_as", "resume", "run_name",
        "storage", "study", "timeout_minutes", "trials", "workers",
    }
)  # fmt: skip

# Of these, the ones that are parameters of every run; others only if they are given.
ALWAYS_LOGGED: Final = frozenset({"recipe", "register_as", "trials"})

AUTO: Final = "auto"

# Names before version 2. Commands reject them; stored runs may still have them.
RENAMED_OPTIONS: Final = {
    "normalise": "normalize",
    "optimiser": "optimizer",
    "shift": "translate",
    "erase": "random_erasing",
    "teacher_share": "distillation_weight",
    "test_flip": "tta_flip",
}

# Patterns of text options, and what they mean in messages.
MODEL_NAME: Final = r"^[^/:.%\s\"']+$"
RUN_OR_AUTO: Final = r"^(auto|[0-9a-f]{32})$"
RESUMED_RUN: Final = r"^(auto|off|[0-9a-f]{32})$"
TEACHER: Final = r"^(none|[0-9a-f]{32}|models:/[^\s\"']+)$"
STUDY_NAME: Final = r"^[A-Za-z0-9_.-]+$"
_RUN_ID: Final = "a run ID (32 hexadecimal digits)"
PATTERNS: Final = {
    MODEL_NAME: "a name without spaces, quotes and the characters / : . %",
    RUN_OR_AUTO: f"auto or {_RUN_ID}",
    RESUMED_RUN: f"auto, off or {_RUN_ID}",
    TEACHER: f"none, {_RUN_ID} or models:/NAME@ALIAS",
    STUDY_NAME: "a name of letters, digits and the characters _ . -",
}

Names = tuple[str, ...]


class Options(BaseModel):
    """Options of one entry point; copy them with `model_copy` instead of changing them.

    Subclasses name what determines their results besides the options, for the configuration digest:
    `code` lists packages and modules of this project, `libraries` the installed packages.
    """

    code: ClassVar[Names] = ()
    libraries: ClassVar[Names] = ()

    # The string after an option is its description.
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    run_name: str = Field(AUTO, min_length=1, max_length=200)
    """name of the run; auto: the model and the options that differ from defaults"""

    @model_validator(mode="wrap")
    @classmethod
    def _shorten_message(cls, values: Any, build: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return build(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else "options"
            pattern = first.get("ctx", {}).get("pattern")
            reason = f"expected {PATTERNS[pattern]}" if pattern else first["msg"].lower()
            raise BadInput(
                f"{name}={first['input']}: {reason}; see --help for the values of {name}"
            ) from error

    def as_text(self) -> dict[str, str]:
        """Return every option as the text that is logged; `from_text` parses it."""
        return {name: str(getattr(self, name)) for name in type(self).model_fields}

    def defaults(self) -> dict[str, str]:
        """Return the value that each option has if it is not given, as text."""
        return {name: str(field.default) for name, field in type(self).model_fields.items()}

    def changed(self) -> dict[str, str]:
        """Return the options that differ from their defaults, as text."""
        defaults = self.defaults()
        return {name: text for name, text in self.as_text().items() if text != defaults[name]}

    def parameters(self) -> dict[str, str]:
        """Return the parameters of a run as text.

        These are the values in use of all options that affect the result, and the other options
        that were given. Values that are determined later (`auto`) are left out.
        """
        logged = (self.model_fields_set | ALWAYS_LOGGED) - {"run_name"}
        others = {name: text for name, text in self.as_text().items() if name in logged}
        values = {**others, **self.fingerprint_fields()}
        return {
            name: values[name] for name in type(self).model_fields if values.get(name, AUTO) != AUTO
        }

    def fingerprint_fields(self) -> dict[str, str]:
        """Return the options that affect the result, as text."""
        return {name: text for name, text in self.as_text().items() if name not in RUNTIME_ONLY}

    @classmethod
    def from_text(cls, texts: Mapping[str, str]) -> Self:
        """Parse logged parameters; parameters that are not options are ignored.

        Before version 2, techniques that a recipe sets were logged as `recipe`.
        """
        values = {
            RENAMED_OPTIONS.get(name, name): text
            for name, text in texts.items()
            if text != "recipe"
        }
        if "seed" in values:  # earlier versions split the rows with `seed`
            values.setdefault("split_seed", values["seed"])
        return cls.model_validate({k: v for k, v in values.items() if k in cls.model_fields})


class CacheOptions(Options):
    """Options of entry points that use the cache directory."""

    cache_dir: str = "auto"
    """cache for data, features and locks; auto: the user's cache directory"""


class DataOptions(CacheOptions):
    """Options of entry points that read the dataset."""

    data_dir: str = "auto"
    """directory with the dataset, or an .npz file; auto: $FMNIST_DATA_DIR, the system dataset
    directory, the cache, or a download"""


Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]


class TrainingOptions(DataOptions):
    """Options of entry points that train networks."""

    seed: Seed = 0
    """seed of initial weights, batch order, dropout and augmentation"""
    split_seed: Seed = 0
    """seed of the training subset, the validation rows and the folds; independent of seed, so that
    runs with different seeds can be compared on the same rows"""
    train_size: int = Field(0, ge=0)
    """number of training rows (stratified subset); 0 = all"""
    epochs: int = Field(10, ge=1, le=10_000)
    """number of training epochs"""


TsneRows = Annotated[
    int, Field(ge=0, description="number of images in the t-SNE embedding; 0 = all")
]
Folds = Annotated[int, Field(ge=2, le=1000, description="number of stratified folds")]
Workers = Annotated[
    int,
    Field(
        ge=0,
        le=1024,
        description="worker processes for folds or trials; 0 = one per core, limited "
        "by available memory",
    ),
]
Resume = Annotated[
    str,
    Field(
        pattern=RESUMED_RUN,
        description="auto: complete the newest unfinished run of the same configuration; off: "
        "start a new run; or the id of the run to complete",
    ),
]
OutputDir = Annotated[
    str,
    Field(
        min_length=1,
        description="directory for a copy of the page, tables and figures; none: no copy",
    ),
]
