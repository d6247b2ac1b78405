"""Weight bundles: what goes in comes out, and whatever is wrong with one is said in one line."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save
from torch import nn

import betaplus.generative.bundle as bundle_module
from betaplus.core.errors import InputError, OutputError, UsageError
from betaplus.generative.bundle import find_bundle, list_bundles, load_bundle, load_into
from betaplus.generative.bundle_config import outside
from betaplus.generative.bundle_writing import Metric, ModelCard, TrainingRecord, write_bundle

CARD = ModelCard(
    what="Draws from a made-up posterior.",
    training_data="1,000 made-up curves.",
    metrics=[Metric(name="coverage", value="0.90", measured="on 500 curves, seed 1")],
    limits="Nothing else was tried.",
)
TRAINING = TrainingRecord(
    command="betaplus train kinetics",
    seed=1,
    code_version="0.0",
    data={"curves": "ab12"},
    minutes=2.5,
    steps=100,
    metrics={"score": 0.1},
)


class Network(nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.layer = nn.Linear(3, width)
        self.scale = nn.Buffer(torch.tensor(1 / 3))
        self.count = nn.Buffer(torch.tensor(7))


def make(folder: Path, **changed: Any) -> Path:
    torch.manual_seed(0)
    options: dict[str, Any] = {
        "task": "kinetics",
        "name": "consistency-2tcm",
        "version": 1,
        "tensors": Network().state_dict(),
        "architecture": {"width": 4},
        "validity": {"duration [min]": [30, 90], "radionuclide": ["F18", "C11"]},
        "settings": {"passes": [80.0, 2.0, 0.5]},
        "card": CARD,
        "training": TRAINING,
    }
    return write_bundle(folder, **{**options, **changed})


@pytest.fixture(autouse=True)
def no_other_bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package's bundles are not the tests' business; return a stand-in's path."""
    package = tmp_path / "package"
    monkeypatch.setattr(bundle_module, "_PACKAGE", package)
    monkeypatch.delenv("BETAPLUS_BUNDLES", raising=False)
    return package


def test_weights_come_back_to_half_precision(tmp_path: Path) -> None:
    path = make(tmp_path, keep_float32=["scale"])
    assert path == tmp_path / "kinetics-consistency-2tcm-v1"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    stored = load_file(path / "model.safetensors")
    assert {k: v.dtype.name for k, v in stored.items()} == {
        "layer.weight": "float16",
        "layer.bias": "float16",
        "scale": "float32",
        "count": "int64",
    }
    bundle = load_bundle(path, "kinetics")
    assert bundle.tensors["layer.weight"].dtype == np.float32
    torch.manual_seed(0)
    made, network = Network(), Network()
    load_into(network, bundle)
    assert torch.equal(network.layer.weight, made.layer.weight.half().float())
    assert torch.equal(network.scale, made.scale) and network.count.item() == 7
    assert not torch.equal(network.layer.weight, made.layer.weight)


def test_float32_is_kept_exactly(tmp_path: Path) -> None:
    path = make(tmp_path, dtype="float32")
    network = Network()
    load_into(network, load_bundle(path, "kinetics"))
    torch.manual_seed(0)
    assert torch.equal(network.layer.weight, Network().layer.weight)


def test_what_is_beside_the_weights(tmp_path: Path) -> None:
    path = make(tmp_path)
    bundle = load_bundle(path, "kinetics")
    digest = hashlib.sha256((path / "model.safetensors").read_bytes()).hexdigest()
    assert bundle.checksum == bundle.config.sha256 == digest
    assert json.loads((path / "config.json").read_text()) == {
        "schema_version": 1,
        "task": "kinetics",
        "name": "consistency-2tcm",
        "version": 1,
        "architecture": {"width": 4},
        "validity": {"duration [min]": [30, 90], "radionuclide": ["F18", "C11"]},
        "settings": {"passes": [80.0, 2.0, 0.5]},
        "sha256": digest,
    }
    assert json.loads((path / "training.json").read_text())["data"] == {"curves": "ab12"}
    card = (path / "README.md").read_text()
    for text in (
        "# kinetics-consistency-2tcm-v1",
        "| coverage | 0.90 | on 500 curves, seed 1 |",
        "| duration [min] | 30 to 90 |",
        "| radionuclide | F18, C11 |",
        "Apache-2.0",
        "18 weights",
    ):
        assert text in card


def test_a_bundle_is_not_overwritten_unasked(tmp_path: Path) -> None:
    path = make(tmp_path)
    before = (path / "model.safetensors").read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        make(tmp_path, tensors={"x": np.zeros(1)})
    assert (path / "model.safetensors").read_bytes() == before
    make(tmp_path, tensors={"x": np.zeros(1)}, overwrite=True)
    assert list(load_bundle(path, "kinetics").tensors) == ["x"]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"tensors": {"x": np.array([1.0, np.nan])}}, InputError, "tensor x is not finite"),
        ({"tensors": {"x": np.array([1e5])}}, InputError, r"x holds 1e\+05; .* 6.55e\+04 in float"),
        ({"task": "Kinetics"}, InputError, "Kinetics-consistency-2tcm-v1 does not name a bundle"),
        ({"version": 0}, InputError, "v0 does not name a bundle"),
        ({"validity": {"dose": [2, 1]}}, InputError, r"validity of dose is \[2, 1\]"),
        ({"settings": {"x": np.nan}}, ValueError, "not JSON compliant"),
        ({"keep_float32": ["y"]}, ValueError, "no tensor y"),
    ],
)
def test_what_cannot_be_loaded_is_not_written(
    tmp_path: Path, changed: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        make(tmp_path / "bundles", **changed)
    assert not list(tmp_path.rglob("*.safetensors"))


def configured(**changed: Any) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        config = json.loads((path / "config.json").read_text())
        config = {k: v for k, v in {**config, **changed}.items() if v is not None}
        (path / "config.json").write_text(json.dumps(config))

    return harm


def weighted(data: bytes) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        (path / "model.safetensors").write_bytes(data)
        configured(sha256=hashlib.sha256(data).hexdigest())(path)

    return harm


def flip_a_bit(path: Path) -> None:
    data = bytearray((path / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (path / "model.safetensors").write_bytes(bytes(data))


class Explosive:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os._exit, (13,))


HARMS = [
    (lambda p: (p / "config.json").unlink(), "is not a bundle: it has no config.json"),
    (lambda p: (p / "README.md").unlink(), "is not a bundle: it has no README.md"),
    (lambda p: (p / "config.json").write_text("{'task'}"), "config.json cannot be read as JSON"),
    (lambda p: (p / "config.json").write_bytes(b"\xff\xfe"), "config.json cannot be read as JSON"),
    (lambda p: (p / "config.json").write_text("[1]"), "holds list; expected an object"),
    (configured(schema_version=7), "has schema version 7; expected 1, which"),
    (configured(schema_version=True), "has schema version True; expected 1"),
    (configured(version="1"), 'version is "1"; expected a whole number'),
    (configured(version=True), "version is true; expected a whole number"),
    (configured(settings=None), "settings is missing; expected an object"),
    (configured(licence="MIT"), "unknown field licence"),
    (configured(validity={"dose": 3}), "validity of dose is 3; "),
    (configured(validity={"dose": [1, "a"]}), r'validity of dose is \[1, "a"\]; '),
    (configured(name="../x"), "does not name a bundle"),
    (configured(task="denoiser"), "is of task 'denoiser'; expected 'kinetics'"),
    (flip_a_bit, r"checksum that starts with \w{12}; expected \w{12} as config.json says"),
    (weighted(b""), "cannot be read as safetensors"),
    (weighted(b"\xff" * 64), "cannot be read as safetensors"),
    (weighted(pickle.dumps(Explosive())), "cannot be read as safetensors"),
    (weighted(save({"x": np.ones(9)})[:-1]), "cannot be read as safetensors"),
    (weighted(save({"x": np.array([np.inf], np.float16)})), "tensor x is not finite"),
]


@pytest.mark.parametrize(("harm", "said"), HARMS, ids=[said[:30] for _, said in HARMS])
def test_a_harmed_bundle_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Path], Any], said: str
) -> None:
    path = make(tmp_path)
    harm(path)
    with pytest.raises(InputError, match=said) as caught:
        load_bundle(path, "kinetics")
    assert "\n" not in str(caught.value)
    monkeypatch.setenv("BETAPLUS_BUNDLES", str(tmp_path))
    (listing,) = list_bundles()
    assert not listing.valid or "denoiser" in said


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (Network(5), r"tensor layer.bias is \(4,\); expected \(5,\), as the network"),
        (nn.Linear(3, 4), r"tensor bias is absent; expected \(4,\)"),
    ],
)
def test_weights_of_another_network_are_refused(
    tmp_path: Path, network: nn.Module, said: str
) -> None:
    bundle = load_bundle(make(tmp_path), "kinetics")
    before = [p.clone() for p in network.parameters()]
    with pytest.raises(InputError, match=said):
        load_into(network, bundle)
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_a_surplus_tensor_is_refused(tmp_path: Path) -> None:
    tensors = {**Network().state_dict(), "more": np.zeros(2)}
    with pytest.raises(InputError, match=r"tensor more is \(2,\); expected absent"):
        load_into(Network(), load_bundle(make(tmp_path, tensors=tensors), "kinetics"))


def test_where_bundles_are_found(
    tmp_path: Path, no_other_bundles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = tmp_path / "named"
    shipped = make(no_other_bundles, version=11)
    for version in (2, 10, 9):
        make(named, version=version)
    make(named, name="consistency-2tcm-large", version=30)
    find = lambda **more: find_bundle("kinetics", "consistency-2tcm", **more)  # noqa: E731
    assert find() == shipped
    monkeypatch.setenv("BETAPLUS_BUNDLES", str(named))
    assert find() == named / "kinetics-consistency-2tcm-v10"
    assert find(explicit=shipped) == shipped
    monkeypatch.setenv("BETAPLUS_BUNDLES", str(tmp_path))
    assert find() == shipped
    with pytest.raises(UsageError, match=r"no weights kinetics-flow-v<N> in .* or .*; .*--bundle"):
        find_bundle("kinetics", "flow")
    with pytest.raises(UsageError, match=r"--bundle nowhere is not a folder"):
        find(explicit=Path("nowhere"))
    monkeypatch.setenv("BETAPLUS_BUNDLES", "nowhere")
    with pytest.raises(UsageError, match="BETAPLUS_BUNDLES=nowhere is not a folder"):
        find()


def test_listing(tmp_path: Path, no_other_bundles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list_bundles() == []
    good = make(no_other_bundles)
    make(tmp_path / "named", version=2).rename(tmp_path / "named" / "kinetics-flow-v3")
    flip_a_bit(make(tmp_path / "named", version=4))
    (tmp_path / "named" / "notes").mkdir()
    monkeypatch.setenv("BETAPLUS_BUNDLES", str(tmp_path / "named"))
    harmed, renamed, whole = list_bundles()
    assert (harmed.version, harmed.valid) == (4, False) and "checksum" in harmed.reason
    assert renamed.reason == "config.json says kinetics-consistency-2tcm-v2"
    assert (whole.task, whole.name, whole.version) == ("kinetics", "consistency-2tcm", 1)
    assert whole.valid and whole.path == good
    assert whole.size == sum(p.stat().st_size for p in good.iterdir())


def test_outside_the_range() -> None:
    validity = {"duration [min]": [30.0, 90.0], "radionuclide": ["F18", "C11"]}
    assert outside(validity, {"duration [min]": 30.0, "radionuclide": "F18"}) == []
    assert outside(validity, {"duration [min]": (40.0, 90.0)}) == []
    assert outside(validity, {"duration [min]": 90.5, "radionuclide": "O15"}) == [
        "duration [min] is 90.5, trained on 30.0 to 90.0",
        "radionuclide is O15, trained on F18, C11",
    ]
    assert len(outside(validity, {"duration [min]": (20.0, 60.0)})) == 1
    assert len(outside(validity, {"duration [min]": float("nan")})) == 1
    assert len(outside(validity, {"radionuclide": 18.0})) == 1
    assert outside(validity, {"dose": 3.0}) == ["dose is 3.0, of which the weights say nothing"]


def test_bundles_are_read_without_torch(tmp_path: Path) -> None:
    path = make(tmp_path)
    code = (
        "import sys; from pathlib import Path; from betaplus.generative.bundle import load_bundle;"
        f"load_bundle(Path({str(path)!r}), 'kinetics'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
