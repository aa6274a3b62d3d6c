import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from inference.findings import NotFinite
from inference.nnunet import BadModelFolder, load_nnunet
from inference.phantom import as_volume
from inference.volume import CtVolume
from tests.nnunet_folders import FIVE_LOBES, LOBES, ONE_LUNG, TWO_LUNGS, changed_weights, nnunet_folder
from tests.phantom import small_chest

CHECKPOINT = Path("fold_0") / "checkpoint_final.pth"


@pytest.fixture
def few_slices() -> CtVolume:
    volume = as_volume(small_chest())
    return replace(volume, hu=volume.hu[28:32])


@pytest.mark.parametrize("spacing_mm", [(4.0, 4.0), (5.0, 6.0, 6.0)], ids=["2d", "3d_fullres"])
@pytest.mark.parametrize(
    ("labels", "lung"),
    [
        (ONE_LUNG, ["lung"]),
        (ONE_LUNG, [1]),
        (TWO_LUNGS, ["lung_left", "lung_right"]),
        (FIVE_LOBES, LOBES),
        (FIVE_LOBES, [1, 2, 3, 4, 5]),
    ],
)
def test_any_folder_gives_a_mask_on_the_grid_of_the_volume(
    tmp_path: Path,
    few_slices: CtVolume,
    labels: dict[str, object],
    lung: Sequence[str | int],
    spacing_mm: tuple[float, ...],
) -> None:
    segment = load_nnunet(nnunet_folder(tmp_path / "model", labels=labels, spacing_mm=spacing_mm), lung)
    lungs = segment(few_slices)
    assert lungs.shape == few_slices.hu.shape
    assert lungs.dtype == np.bool_


def test_names_and_numbers_of_the_same_labels_mean_the_same(tmp_path: Path, few_slices: CtVolume) -> None:
    folder = nnunet_folder(tmp_path / "model", labels=FIVE_LOBES)
    by_name, by_number = load_nnunet(folder, LOBES), load_nnunet(folder, [1, 2, 3, 4, 5])
    assert np.array_equal(by_name(few_slices), by_number(few_slices))


def test_what_is_not_lung_is_left_out(tmp_path: Path, few_slices: CtVolume) -> None:
    folder = nnunet_folder(tmp_path / "model", labels=FIVE_LOBES)
    always_trachea = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 1e3])
    changed_weights(folder / CHECKPOINT, decoder_seg_layers_0_bias=always_trachea)
    assert not load_nnunet(folder, LOBES)(few_slices).any()
    assert load_nnunet(folder, ["trachea"])(few_slices).all()


def test_regions_decide_one_by_one(tmp_path: Path, few_slices: CtVolume) -> None:
    folder = nnunet_folder(tmp_path / "model", labels={"background": 0, "lung": [1, 2], "lesion": 2})
    facts = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(facts | {"regions_class_order": [1, 2]}))
    changed_weights(
        folder / CHECKPOINT,
        decoder_seg_layers_0_weight=torch.zeros(2, 4, 1, 1),
        decoder_seg_layers_0_bias=torch.tensor([1.0, 5.0]),
    )
    assert load_nnunet(folder, ["lung"])(few_slices).all()


def test_the_folds_vote_by_the_mean_of_their_logits(tmp_path: Path, few_slices: CtVolume) -> None:
    folder = nnunet_folder(tmp_path / "model", folds=["fold_0", "fold_1"])
    for fold, margin in (("fold_0", -1.0), ("fold_1", 3.0)):
        changed_weights(
            folder / fold / "checkpoint_final.pth",
            decoder_seg_layers_0_weight=torch.zeros(2, 4, 1, 1),
            decoder_seg_layers_0_bias=torch.tensor([0.0, margin]),
        )
    assert load_nnunet(folder, ["lung"])(few_slices).all()


def test_another_order_of_axes_in_the_plan_is_followed(tmp_path: Path, few_slices: CtVolume) -> None:
    folder = nnunet_folder(tmp_path / "model")
    plans = json.loads((folder / "plans.json").read_text())
    turned = {"transpose_forward": [2, 0, 1], "transpose_backward": [1, 2, 0]}
    (folder / "plans.json").write_text(json.dumps(plans | turned))
    assert load_nnunet(folder, ["lung"])(few_slices).shape == few_slices.hu.shape


def test_a_network_that_knows_ras_is_shown_ras(tmp_path: Path, few_slices: CtVolume) -> None:
    folder = nnunet_folder(tmp_path / "model", spacing_mm=(2.8, 2.8))
    turned = replace(few_slices, hu=few_slices.hu[:, ::-1, ::-1])
    plain, ras = (load_nnunet(folder, ["lung"], axes=axes).network for axes in ("LPS", "RAS"))
    seen, turned_seen = ras(few_slices.hu.astype(np.float32)), plain(turned.hu.astype(np.float32))
    assert np.array_equal(seen[:, ::-1, ::-1], turned_seen)


@pytest.mark.parametrize("missing", ["plans.json", "dataset.json", str(CHECKPOINT)])
def test_a_folder_without_one_of_its_files_is_refused(tmp_path: Path, missing: str) -> None:
    folder = nnunet_folder(tmp_path / "model")
    (folder / missing).unlink()
    with pytest.raises(BadModelFolder, match=Path(missing).name):
        load_nnunet(folder, ["lung"])


@pytest.mark.parametrize("wanted", ["heart", 9])
def test_a_label_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path, wanted: str | int) -> None:
    folder = nnunet_folder(tmp_path / "model", labels=TWO_LUNGS)
    with pytest.raises(BadModelFolder, match=rf"{wanted}.*lung_left \(1\), lung_right \(2\)"):
        load_nnunet(folder, [wanted])


def test_no_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModelFolder, match="no label"):
        load_nnunet(nnunet_folder(tmp_path / "model"), [])


def test_more_than_ct_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModelFolder, match="2 input channels"):
        load_nnunet(nnunet_folder(tmp_path / "model", channels=["CT", "PET"]), ["lung"])


@pytest.mark.parametrize(
    ("plans", "reason"),
    [
        ({"previous_stage": "3d_lowres"}, "cascade"),
        ({"normalization_schemes": ["RGBTo01Normalization"]}, "RGBTo01Normalization"),
        ({"architecture": {}}, "describe no network"),
    ],
)
def test_a_plan_we_cannot_follow_is_refused(tmp_path: Path, plans: dict[str, object], reason: str) -> None:
    with pytest.raises(BadModelFolder, match=reason):
        load_nnunet(nnunet_folder(tmp_path / "model", plans=plans), ["lung"])


def test_a_plan_that_names_another_function_is_refused_and_not_run(tmp_path: Path) -> None:
    architecture = {
        "network_class_name": "os.mkdir",
        "arch_kwargs": {"path": str(tmp_path / "ran")},
        "_kw_requires_import": [],
    }
    with pytest.raises(BadModelFolder, match=r"names os\.mkdir"):
        load_nnunet(nnunet_folder(tmp_path / "model", plans={"architecture": architecture}), ["lung"])
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        (
            {"decoder_seg_layers_0_bias": None},
            "missing ['decoder.seg_layers.0.bias'], unexpected [], of another shape []",
        ),
        (
            {"decoder_seg_layers_0_bias": torch.zeros(7)},
            "missing [], unexpected [], of another shape ['decoder.seg_layers.0.bias (7,) for (2,)']",
        ),
    ],
)
def test_a_checkpoint_of_another_network_is_refused(
    tmp_path: Path, weights: dict[str, torch.Tensor | None], reason: str
) -> None:
    folder = nnunet_folder(tmp_path / "model")
    changed_weights(folder / CHECKPOINT, **weights)
    with pytest.raises(BadModelFolder, match=re.escape(f"does not fit plans.json: weights {reason}")):
        load_nnunet(folder, ["lung"])


class _Command:
    """A pickle that would make a folder when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_checkpoint_with_code_in_it_is_refused_and_not_run(tmp_path: Path) -> None:
    folder = nnunet_folder(tmp_path / "model")
    torch.save({"network_weights": _Command(tmp_path / "ran")}, folder / CHECKPOINT)
    with pytest.raises(BadModelFolder, match="holds more than weights"):
        load_nnunet(folder, ["lung"])
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = nnunet_folder(tmp_path / "model")
    (folder / CHECKPOINT).write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(BadModelFolder, match=r"fold_0/checkpoint_final\.pth"):
        load_nnunet(folder, ["lung"])


def test_a_card_of_another_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = nnunet_folder(tmp_path / "model")
    (folder / "card.json").write_text("{}")
    with pytest.raises(BadModelFolder, match=r"card\.json: name: Field required"):
        load_nnunet(folder, ["lung"])


def test_output_that_is_no_number_is_an_error_and_no_mask(tmp_path: Path, few_slices: CtVolume) -> None:
    folder = nnunet_folder(tmp_path / "model")
    changed_weights(folder / CHECKPOINT, decoder_seg_layers_0_bias=torch.tensor([0.0, torch.nan]))
    with pytest.raises(NotFinite, match="are no numbers"):
        load_nnunet(folder, ["lung"])(few_slices)


def test_other_weights_and_other_labels_have_another_digest(tmp_path: Path) -> None:
    folder = nnunet_folder(tmp_path / "model", labels=TWO_LUNGS)
    one, same, left = (load_nnunet(folder, lung).identity for lung in ([1, 2], [1, 2], [1]))
    changed_weights(folder / CHECKPOINT, decoder_seg_layers_0_bias=torch.ones(3))
    other = load_nnunet(folder, [1, 2]).identity
    assert one == same
    assert len({one.digest, left.digest, other.digest}) == 3


def test_loading_prints_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_nnunet(nnunet_folder(tmp_path / "model"), ["lung"])
    assert capsys.readouterr() == ("", "")
