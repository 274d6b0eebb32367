"""benchmarks/gpu/roofline.py"""

from __future__ import annotations

import pytest

from benchmarks.errors import NotAvailable
from benchmarks.gpu import roofline
from benchmarks.gpu.cost import Cost
from benchmarks.gpu.roofline import CARDS, Card, bounds_of, find_card
from benchmarks.gpu.settings import CUDA, STAND_IN, Settings
from demo.weights import UNET_PATH
from tests.benchmarks.gpu.told import Told

COST = Cost(flop=10e9, activation_bytes=200e6, weight_bytes=24e6, input_bytes=340e3, output_bytes=307e3)


def test_bounds():
    """Each bound is what the card does in a second by what a frame takes; the tightest counts."""
    bounds = bounds_of(Card(1000e12, 34e9, 4e12), COST, "fp16")
    assert (bounds.arithmetic, bounds.memory, bounds.pcie) == pytest.approx((100_000, 20_000, 100_000))
    assert bounds.tightest == pytest.approx(20_000)
    assert bounds_of(Card(1000e12, 34e9, 4e12), COST, "tf32").arithmetic == pytest.approx(50_000)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("NVIDIA H200", "H200"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA L4", "L4"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "RTX 4090"),
    ],
)
def test_cards_by_name(name, key):
    """A card is known by the words of its name, by the most of them."""
    assert find_card(name) is CARDS[key]


@pytest.mark.parametrize("name", ["Tesla T4", "no card", "", "NVIDIA L400"])
def test_an_unknown_card(name):
    """A card whose data sheet is not here has no bounds, rather than another's."""
    assert find_card(name) is None


@pytest.fixture
def site(tmp_path):
    (tmp_path / "half.onnx").write_bytes(UNET_PATH.read_bytes())
    return str(tmp_path)


def test_on_a_known_card(site, monkeypatch):
    """Both precisions get rows with their bounds, and later steps the tightest of each."""
    monkeypatch.setattr(roofline, "gpu_name", lambda: "NVIDIA H200")
    told = Told()
    roofline.measure(Settings(site=site, device=CUDA, avatar="half"), told)
    rows = told.rows["roofline"]
    assert [row["precision"] for row in rows] == ["fp16", "tf32"]
    assert rows[0]["gflop"] == pytest.approx(2.64, rel=0.01)
    assert rows[1]["activations, MB"] == pytest.approx(2 * rows[0]["activations, MB"], rel=0.01)
    assert told.facts["bounds"]["fp16"] == pytest.approx(rows[0]["memory, frames/s"])


@pytest.mark.parametrize("device", [CUDA, STAND_IN])
def test_without_a_known_card(site, monkeypatch, device):
    """Without a card, its tool or its data sheet, the frame's cost is told all the same."""

    def missing():
        raise NotAvailable("nvidia-smi", "not here")

    monkeypatch.setattr(roofline, "gpu_name", missing)
    told = Told()
    roofline.measure(Settings(site=site, device=device, avatar="half"), told)
    assert len(told.rows["roofline"]) == 2
    assert told.facts["bounds"] == {"fp16": None, "tf32": None}
    assert "is not in benchmarks/gpu/roofline.py: no bounds" in told.notes["roofline"][-1]


def test_the_goal_is_possible():
    """The goal of 10,000 frames/s on an H200 is below what its arithmetic and PCIe allow the full-width network."""
    bounds = bounds_of(CARDS["H200"], Cost(9.77e9, 1.0, 1.0, 340e3, 307e3), "fp16")
    assert bounds.tightest > 10_000
