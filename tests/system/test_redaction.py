"""Secrets do not appear in output, tags or files."""

import sys
from contextlib import suppress
from pathlib import Path

import pytest
from mlflow import MlflowClient

from fmnist import names
from fmnist.options import Train
from fmnist.system.console import open_console
from fmnist.system.redaction import redact
from fmnist.tracking.run import open_run


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("http://ada:secret@host:5000/x failed", "http://***@host:5000/x failed"),
        ("postgresql+psycopg2://ada:se/cr:et@host/db", "postgresql+psycopg2://***@host/db"),
        ("View run at: https://ada:secret@host/#/runs/1", "View run at: https://***@host/#/runs/1"),
        ("host=h password=secret user=ada", "host=h password=*** user=ada"),
        ("http://host/?token=secret&x=1", "http://host/?token=***&x=1"),
        ("token abc-123-token was rejected", "token *** was rejected"),
        ("user ada, p@ss w or p%40ss", "user ada, *** w or ***"),
        ("the driver got pa:ss", "the driver got ***"),
        ("http://host:5000/a@b", "http://host:5000/a@b"),
        ("epoch 1234 of 12345", "epoch *** of 12345"),
        ("loss 0.25, ab", "loss 0.25, ab"),
    ],
)
def test_redact(monkeypatch, text: str, redacted: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc-123-token")
    monkeypatch.setenv("DATABASE", "postgresql://ada:pa%3Ass@host/db")
    monkeypatch.setenv("https_proxy", "http://ada:p%40ss@proxy:3128")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "1234")
    monkeypatch.setenv("SHORT_TOKEN", "ab")
    assert redact(text) == redacted


def test_output_tags_and_files(client: MlflowClient, monkeypatch, capsys) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc-123-token")
    message = "cannot connect to http://ada:secret@host with abc-123-token"
    with open_console():
        print(message)
        print(message, file=sys.stderr)
    with suppress(ValueError), open_run("train", Train(), {"note": message}) as run:
        run.log_files({"output.txt": message.encode(), "data.bin": b"\xff\x00abc-123-token"})
        raise ValueError(message)
    stored = client.get_run(run.run_id)
    folder = Path(client.download_artifacts(run.run_id, ""))
    texts = [*capsys.readouterr(), *stored.data.tags.values()]
    texts += [(folder / name).read_text() for name in ("output.txt", names.ERROR_TEXT)]
    assert not [text for text in texts if "secret" in text or "abc-123" in text]
    assert sum("cannot connect to http://***@host with ***" in text for text in texts) == 6
    assert (folder / "data.bin").read_bytes() == b"\xff\x00abc-123-token"
