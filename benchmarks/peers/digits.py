"""The training that the peers of ``grid.py`` carry out: what a careful person writes by hand.

The digits, an MLP, five epochs, a durable checkpoint and MLflow each epoch, the test at the end;
the same model, data and optimizer as ours.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
import mlflow
import torch
from sklearn.datasets import load_digits
from torch import nn

if TYPE_CHECKING:
    from omegaconf import DictConfig


def train(cfg: DictConfig) -> None:
    """Train one run, and tell MLflow of it."""
    torch.set_num_threads(1)
    torch.manual_seed(cfg.seed)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    labels = torch.tensor(digits.target)
    places = torch.randperm(1300)
    model = nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 128),
        nn.ReLU(),
        nn.Linear(128, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )
    optimizer = torch.optim.SGD(
        model.parameters(), lr=cfg.lr, momentum=0.9, nesterov=True, fused=True
    )
    criterion = nn.CrossEntropyLoss()
    mlflow.set_tracking_uri(cfg.uri)
    mlflow.set_experiment("peers")
    with mlflow.start_run():
        mlflow.log_params(dict(cfg))
        for epoch in range(1, cfg.iterations + 1):
            total = 0.0
            for batch in places[torch.randperm(1300)].split(cfg.batch_size):
                optimizer.zero_grad()
                loss = criterion(model(images[batch]), labels[batch])
                loss.backward()
                optimizer.step()
                total += loss.item() * len(batch)
            with torch.no_grad():
                logits = model(images[1300:1400])
                metrics = {
                    "train/loss": total / 1300,
                    "validation/loss": criterion(logits, labels[1300:1400]).item(),
                    "validation/accuracy": (logits.argmax(1) == labels[1300:1400])
                    .float()
                    .mean()
                    .item(),
                }
            mlflow.log_metrics(metrics, step=epoch)
            save(Path(cfg.checkpoints) / f"{cfg.lr}-{cfg.seed}-{os.getpid()}.pt", model, optimizer)
        with torch.no_grad():
            logits = model(images[1400:])
            accuracy = (logits.argmax(1) == labels[1400:]).float().mean().item()
        mlflow.log_metric("test/accuracy", accuracy, step=cfg.iterations)


def save(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Write a checkpoint that survives a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


main = hydra.main(version_base=None, config_path="conf", config_name="config")(train)

if __name__ == "__main__":
    main()
