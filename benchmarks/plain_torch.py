"""A third column: the same network, batches and rows in PyTorch on a CPU, data in memory.

Needs torch, which the project itself does not install.
"""

import argparse
import json
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()

    started = time.perf_counter()
    import torch
    from torch import nn

    from benchmarks.plain_keras import read

    import_seconds = time.perf_counter() - started
    torch.manual_seed(arguments.seed)

    def tensors(split: str) -> tuple:
        images, labels = read(arguments.data_dir, split)
        return torch.tensor(images).permute(0, 3, 1, 2), torch.tensor(labels, dtype=torch.int64)

    images, labels = tensors("train")
    test_images, test_labels = tensors("t10k")
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    loss_of = nn.CrossEntropyLoss()
    rows = len(images) * 9 // 10
    seconds = []
    for _ in range(arguments.epochs):
        epoch_started = time.perf_counter()
        model.train()
        for part in torch.randperm(rows).split(128):
            optimizer.zero_grad()
            loss_of(model(images[part]), labels[part]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            loss_of(model(images[rows:]), labels[rows:])
        seconds.append(time.perf_counter() - epoch_started)
    with torch.no_grad():
        accuracy = (model(test_images).argmax(1) == test_labels).float().mean().item()
    told = {"import_seconds": import_seconds, "epoch_seconds": seconds, "accuracy": accuracy}
    print("\n" + json.dumps(told))


if __name__ == "__main__":
    main()
