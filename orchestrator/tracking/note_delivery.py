"""The delivery of notes: brings what people note of a run to MLflow, and removes it again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.tracking.note_tags import note_tags

if TYPE_CHECKING:
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.tracking.delivery_record import Delivery
    from orchestrator.tracking.store import Store


def send_note(store: Store, directory: RunDirectory, delivery: Delivery) -> Delivery | None:
    """Send what was noted since, and remove what was removed; return the delivery, if it changed.

    Raises:
        Exception: MLflow fails.
    """
    wanted, sent = note_tags(directory), delivery.note
    if wanted == sent:
        return None
    if changed := {key: wanted[key] for key in wanted if sent.get(key) != wanted[key]}:
        store.send(delivery.mlflow_run_id, tags=changed)
    for key in sent:
        if key not in wanted:
            store.remove_tag(delivery.mlflow_run_id, key)
    return replace(delivery, note=wanted)
