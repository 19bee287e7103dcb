"""Commands that tests run as a user would, in a folder with its own tracking store."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import psutil
from mlflow import MlflowClient
from mlflow.entities import Run

from fmnist import names
from fmnist.options import ENTRY_POINTS

PROJECT = Path(__file__).parents[2]
# Only ends what hangs; no test passes or fails by how long a command takes.
TIMEOUT_SECONDS = 900
# The ends of names of metrics that differ between equal runs.
_NOT_REPRODUCIBLE = (
    "seconds", "per_second", "ms_per_image", "peak_bytes", "memory_bytes", "resumed",
)  # fmt: skip

# Python imports a module of the name `sitecustomize` when it starts.
_PAUSE = """
import builtins, os, time
write = print

def print_and_pause(*words, **options):
    write(*words, **options)
    if words and {text!r} in str(words[0]):
        while not os.path.exists({go!r}):
            time.sleep(0.01)

builtins.print = print_and_pause
"""


@dataclass
class Workspace:
    """A folder with a tracking store, and the commands that work there.

    Args:
        environment: variables for the commands, in addition to those of this process.
    """

    folder: Path
    data_dir: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def output(self) -> Path:
        """What the process of `start` has printed."""
        return self.folder / "output.txt"

    @property
    def store(self) -> str:
        return self.environment.get("MLFLOW_TRACKING_URI", f"sqlite:///{self.folder}/mlflow.db")

    @property
    def journals(self) -> Path:
        return self.folder / "journal"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.store)

    def runs(self, kind: str = "") -> list[Run]:
        """The runs of the store, the newest first; of this kind only if one is given."""
        experiments = [e.experiment_id for e in self.client.search_experiments()]
        runs = self.client.search_runs(experiments)
        return [run for run in runs if kind in ("", run.data.tags.get(names.TAG_KIND))]

    def children(self, parent: Run) -> list[Run]:
        """The runs nested in a run, the newest first."""
        run_id = parent.info.run_id
        return [r for r in self.runs() if r.data.tags.get("mlflow.parentRunId") == run_id]

    def artifacts(self, run: Run) -> dict[str, bytes]:
        return read_artifacts(self.client, run)

    def script(self, entry: str, **options: object) -> list[str]:
        """The command `python -m entrypoints.NAME`."""
        flags = self._with_data(entry, options).items()
        words = [word for name, value in flags for word in (f"--{name}", str(value))]
        return [sys.executable, "-m", f"entrypoints.{entry}", *words]

    def project(self, entry: str, **options: object) -> list[str]:
        """The command `mlflow run`."""
        parameters = self._with_data(entry, options).items()
        words = [word for name, value in parameters for word in ("-P", f"{name}={value}")]
        command = [sys.executable, "-m", "mlflow", "run", str(PROJECT), "-e", entry]
        return [*command, "--env-manager", "local", *words]

    def execute(self, command: list[str], *codes: int) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, which has to have one of these exit codes (0)."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.command_environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        assert done.returncode in (codes or (0,)), done.stdout + done.stderr
        return done

    def start(self, command: list[str]) -> "subprocess.Popen[bytes]":
        """Start a command in its own process group; it prints to `output`."""
        with self.output.open("wb") as output:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.command_environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_restore_interrupt,  # noqa: PLW1509 (this process has no other thread)
            )

    def wait_for_output(self, process: "subprocess.Popen[bytes]", text: str) -> None:
        """Return when the process has printed the text."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while text not in self.output.read_text():
            assert process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.05)

    def wait(self, process: "subprocess.Popen[bytes]", code: int = 0) -> str:
        """Wait for a process, which has to have this exit code; return what it has printed."""
        ended = process.wait(timeout=TIMEOUT_SECONDS)
        printed = self.output.read_text()
        assert ended == code, printed
        return printed

    def paused_after(self, text: str) -> "Workspace":
        """The same workspace, whose commands pause when they have printed the text.

        They go on after `release`; a signal ends them as usual.
        """
        folder = self.folder / f"pause-{len(list(self.folder.glob('pause-*')))}"
        folder.mkdir()
        code = _PAUSE.format(text=text, go=str(self.folder / "go"))
        (folder / "sitecustomize.py").write_text(code)
        path = {"PYTHONPATH": f"{folder}{os.pathsep}{PROJECT}"}
        return replace(self, environment=self.environment | path)

    def release(self) -> None:
        """Let commands go on that have paused, or will."""
        (self.folder / "go").touch()

    def command_environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW")}
        # `mlflow run` starts the first `python` of the path.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return inherited | {
            "PATH": path,
            "PYTHONPATH": str(PROJECT),
            "MLFLOW_TRACKING_URI": self.store,
            names.JOURNAL_DIR: str(self.journals),
            names.CHECKPOINT_DIR: str(self.checkpoints),
            **self.environment,
        }

    def _with_data(self, entry: str, options: dict[str, object]) -> dict[str, object]:
        takes_data = "data_dir" in ENTRY_POINTS[entry].model_fields
        return ({"data_dir": self.data_dir} if takes_data else {}) | options


def read_artifacts(client: MlflowClient, run: Run) -> dict[str, bytes]:
    """The contents of the files of a run, by path."""
    return read_folder(Path(client.download_artifacts(run.info.run_id, "")))


def read_folder(folder: Path) -> dict[str, bytes]:
    """The contents of the files of a folder, by path."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def read_table(files: Mapping[str, bytes], name: str) -> pd.DataFrame:
    """A table of the files of a run."""
    read = pd.read_csv if name.endswith(".csv") else pd.read_parquet
    return read(io.BytesIO(files[name]))


def accuracy(predictions: pd.DataFrame) -> float:
    return float((predictions["predicted"] == predictions["label"]).mean())


def wait_until_ended(processes: Iterable[psutil.Process]) -> None:
    """Wait for processes that are not children of this one."""
    _, alive = psutil.wait_procs(list(processes), timeout=TIMEOUT_SECONDS)
    assert alive == []


def reproducible_metrics(run: Run) -> dict[str, float]:
    """The metrics of a run, without timings, memory and the number of resumed folds."""
    return {
        name: value
        for name, value in run.data.metrics.items()
        if not name.startswith(names.MACHINE) and not name.endswith(_NOT_REPRODUCIBLE)
    }


def _restore_interrupt() -> None:
    """A shell makes its background jobs ignore Ctrl-C, and a command would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
