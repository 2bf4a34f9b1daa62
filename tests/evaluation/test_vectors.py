"""The reference vectors: those that come with the package, and the published implementations' where they are."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import built_in_vector
from feedseg import FeedsegError
from feedseg.evaluation.vectors.compare import compare_folder, deviation
from paths import SHARED

GOLDEN = SHARED / "golden"


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="the published implementations' vectors are not in ../shared/golden")
def test_every_golden_tensor_is_met():
    results = list(compare_folder(GOLDEN))
    assert len(results) >= 50
    assert [result for result in results if not result.passed] == []


def test_the_built_in_vector_is_met_closely():
    results = list(compare_folder(built_in_vector.FOLDER))
    assert {result.file for result in results} == {
        "fsa_tiny.safetensors",
        "base_tiny.safetensors",
        "segment_tiny.safetensors",
    }
    assert len(results) == 6 + 10 + 6
    assert all(result.passed and result.deviation is not None and result.deviation < 5e-5 for result in results)


def test_the_built_in_vector_is_what_its_program_writes():
    for name, (tensors, _) in built_in_vector.build(built_in_vector.SEED).items():
        stored = load_file(built_in_vector.FOLDER / name)
        assert stored.keys() == tensors.keys()
        for key, tensor in tensors.items():
            torch.testing.assert_close(stored[key], tensor, atol=1e-5, rtol=1e-5, msg=f"{name} {key}")


@pytest.fixture
def copied(tmp_path):
    for name, (tensors, metadata) in built_in_vector.build(built_in_vector.SEED).items():
        save_file(tensors, tmp_path / name, metadata=metadata)
    return tmp_path


def change(folder: Path, name: str, key: str, difference: float) -> None:
    tensors, metadata = built_in_vector.build(built_in_vector.SEED)[name]
    tensors[key].view(-1)[tensors[key].isfinite().flatten().nonzero()[3]] += difference
    save_file(tensors, folder / name, metadata=metadata)


@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("fsa_tiny.safetensors", "out.plain"),
        ("fsa_tiny.safetensors", "out.proxyclip_fsa"),
        ("fsa_tiny.safetensors", "step.pruned_p045"),
        ("base_tiny.safetensors", "out.naclip.no_residual"),
        ("segment_tiny.safetensors", "logits.fsa"),
    ],
)
def test_one_number_that_is_off_is_found(copied, file, key):
    change(copied, file, key, 0.01)
    failed = [(result.file, result.tensor) for result in compare_folder(copied) if not result.passed]
    assert failed == [(file, key)]


def test_wrong_labels_are_found(copied):
    tensors, metadata = built_in_vector.build(built_in_vector.SEED)["segment_tiny.safetensors"]
    tensors["labels.fsa.thd0.0"][0, :2, :5] += 1
    save_file(tensors, copied / "segment_tiny.safetensors", metadata=metadata)
    (failed,) = [result for result in compare_folder(copied) if not result.passed]
    assert failed.tensor == "labels.fsa.thd0.0"
    assert failed.deviation == pytest.approx(10 / (50 * 61))


def test_an_output_that_nobody_computes_fails(copied):
    tensors, metadata = built_in_vector.build(built_in_vector.SEED)["base_tiny.safetensors"]
    save_file(tensors | {"out.unheard_of": torch.zeros(1)}, copied / "base_tiny.safetensors", metadata=metadata)
    (failed,) = [result for result in compare_folder(copied) if not result.passed]
    assert (failed.tensor, failed.remark) == ("out.unheard_of", "unknown to this version")


def test_folders_without_vectors_and_damaged_files_say_so(tmp_path, copied):
    with pytest.raises(FeedsegError, match="no folder with reference vectors"):
        list(compare_folder(tmp_path / "nothing"))
    (copied / "fsa_tiny.safetensors").unlink()
    with pytest.raises(FeedsegError, match=r"needs the tower in fsa_tiny\.safetensors"):
        list(compare_folder(copied))
    (copied / "fsa_tiny.safetensors").write_bytes(b"nonsense")
    with pytest.raises(FeedsegError, match="is no vector file"):
        list(compare_folder(copied))


def test_infinities_must_stand_in_the_same_places():
    expected = torch.tensor([1.0, -torch.inf])
    assert deviation(expected.clone(), expected) == (0.0, True)
    assert deviation(torch.tensor([-torch.inf, 1.0]), expected)[1] is False
    assert deviation(torch.tensor([1.0, 2.0]), expected)[1] is False
