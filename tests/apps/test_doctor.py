"""`feedseg doctor`."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedseg.apps.cli.main import main


def test_doctor_checks_the_installation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines() if line]
    assert {"torch", "transformers", "cpu", "pillow"} <= {row[0] for row in rows}
    assert out.endswith(" tensors, 0 too far\n")


def test_doctor_fails_if_a_tensor_is_too_far(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.resources import files as resources

    from safetensors import safe_open
    from safetensors.torch import save_file

    source = str(resources("feedseg") / "evaluation/vectors/fsa_tiny.safetensors")
    with safe_open(source, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    tensors["out.proxyclip"][0, 0, 0] += 0.01
    tensors["out.unheard_of"] = tensors["out.proxyclip"]
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, tmp_path / "fsa_tiny.safetensors", metadata)
    assert main(["doctor", "--vectors", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    verdicts = {words[1]: words[3:] for line in out.splitlines()[1:-2] if (words := line.split())}
    assert verdicts["out.proxyclip"] == ["1.00e-02", "TOO", "FAR"]
    assert verdicts["out.unheard_of"][:3] == ["-", "TOO", "FAR"]
    assert verdicts["out.plain"][1] == "ok"
    assert out.endswith(f"{len(verdicts)} tensors, 2 too far\n")


def test_doctor_fails_without_vectors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--vectors", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert out == "0 tensors, 0 too far\n"
    assert err.startswith("feedseg: ")
    (tmp_path / "fsa_x.safetensors").write_bytes(b"damaged")
    assert main(["doctor", "--vectors", str(tmp_path)]) == 1
    assert "fsa_x.safetensors" in capsys.readouterr().err
