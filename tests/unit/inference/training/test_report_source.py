"""What a report is told of the patients that a model has seen."""

from dataclasses import replace
from pathlib import Path

from inference.bundle import Bundle, TrainedOn, demonstration, load_bundle
from inference.dataset.folder import Dataset
from inference.dataset.table import Part
from inference.evaluation.source import Source
from inference.findings import AlgorithmIdentity
from inference.training.report_source import source_of
from inference.training.scoring import subject
from tests.datasets import write_dataset


def reported(dataset: Dataset, bundle: Bundle, split: str, *others: Bundle) -> Source:
    chosen = dataset.split(split)
    patients = tuple(subject(dataset.cases[name], [0.4, 0.6]) for name in chosen.test)
    rivals = {f"rival {number}": (other, patients) for number, other in enumerate(others)}
    return source_of(bundle, dataset, chosen, Part.TEST, patients, title="", rivals=rivals)


def trained_on(dataset: Dataset, split: str) -> Bundle:
    bundle = load_bundle(demonstration())
    trained = TrainedOn(
        dataset_sha256=dataset.digest, split=split, segmenter="lungs 1", segmenter_digest="0123456789abcdef"
    )
    return bundle.model_copy(update={"card": bundle.card.model_copy(update={"trained_on": trained})})


def two_splits(folder: Path) -> Dataset:
    """The second tests six patients that train in the first, and two that test in it."""
    dataset = write_dataset(folder)
    first = dataset.manifest.splits[0]
    second = first.model_copy(
        update={
            "name": "other",
            "train": (*first.selection, *first.test[:2], *first.train[6:]),
            "test": (*first.train[:6], *first.test[2:]),
        }
    )
    return replace(dataset, manifest=dataset.manifest.model_copy(update={"splits": (first, second)}))


def test_a_model_of_another_split_is_said_to_have_seen_its_patients(tmp_path: Path) -> None:
    dataset = two_splits(tmp_path)
    model = trained_on(dataset, "main")
    assert reported(dataset, model, "main").optimistic == ""
    said = reported(dataset, model, "other").optimistic
    assert said == (
        "The model was trained on split main and has seen 6 of these patients: its figures are optimistic."
    )


def test_so_is_one_that_it_is_compared_with_and_none_of_another_dataset(tmp_path: Path) -> None:
    dataset = two_splits(tmp_path)
    unknown = load_bundle(demonstration())
    said = reported(dataset, unknown, "other", trained_on(dataset, "main"), unknown).optimistic
    assert said.startswith("rival 0 was trained on split main and has seen 6")
    assert "rival 1" not in said


def test_lungs_of_another_segmenter_are_said(tmp_path: Path) -> None:
    model = trained_on(write_dataset(tmp_path), "main")
    same, other = (AlgorithmIdentity("lungs", "2", digest) for digest in ("0123456789abcdef", "f" * 64))
    assert model.of_other_lungs(same) == ""
    assert (
        "was trained on lungs by lungs 1 (0123456789ab), not by lungs 2 (ffffffffffff)"
        in model.of_other_lungs(other)
    )
    assert load_bundle(demonstration()).of_other_lungs(other) == ""
