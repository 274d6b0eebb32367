"""How fast a GPU could be at best: arithmetic and bytes of one frame against what the card can do."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from benchmarks.errors import NotAvailable
from benchmarks.gpu.cost import Cost, network_cost
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.memory import gpu_name
from benchmarks.gpu.networks import network_file
from benchmarks.gpu.settings import Settings

__all__ = ["CARDS", "Bounds", "Card", "bounds_of", "find_card", "measure"]

TF32_SHARE = 0.5
"""Of the float16 rate: what TensorFloat-32 gives on all of these cards."""

PRECISIONS = ("fp16", "tf32")


@dataclass(frozen=True)
class Card:
    """A GPU's limits, from its vendor's data sheet.

    Attributes:
        flop_per_s: Dense float16 with tensor cores, summed in float32.
        pcie_bytes_per_s: One direction.
        memory_bytes_per_s: Of the card's own memory.
    """

    flop_per_s: float
    pcie_bytes_per_s: float
    memory_bytes_per_s: float


@dataclass(frozen=True)
class Bounds:
    """Frames per second that a card cannot exceed, by what limits them.

    Attributes:
        arithmetic: All of the network's multiplications and additions.
        memory: Each convolution, concatenation and upsampling reading and writing the card's memory. What the card's
            cache keeps, or one kernel does of several, is not counted, so this one can be exceeded.
        pcie: Face and window of speech in, picture out, in both directions at once.
    """

    arithmetic: float
    memory: float
    pcie: float

    @property
    def tightest(self) -> float:
        """The least of them."""
        return min(self.arithmetic, self.memory, self.pcie)


CARDS = {
    "B200": Card(2250e12, 64e9, 8.0e12),
    "H200": Card(989e12, 64e9, 4.8e12),
    "H100 PCIe": Card(756e12, 64e9, 2.0e12),
    "H100 NVL": Card(835e12, 64e9, 3.9e12),
    "H100": Card(989e12, 64e9, 3.35e12),
    "A100": Card(312e12, 32e9, 2.0e12),
    "A10": Card(125e12, 32e9, 0.6e12),
    "L40S": Card(362e12, 32e9, 0.864e12),
    "L4": Card(121e12, 32e9, 0.3e12),
    "RTX 6000 Ada": Card(364e12, 32e9, 0.96e12),
    "RTX 5090": Card(209e12, 64e9, 1.79e12),
    "RTX 4090": Card(165e12, 32e9, 1.008e12),
    "RTX 3060": Card(51e12, 16e9, 0.36e12),
}


def find_card(name: str) -> Card | None:
    """Return the limits of the card that calls itself so; None where its data sheet is not in ``CARDS``."""
    known = [key for key in CARDS if all(word in name.replace("-", " ").split() for word in key.split())]
    return CARDS[max(known, key=len)] if known else None


def bounds_of(card: Card, cost: Cost, precision: str) -> Bounds:
    """Return a card's bounds for a network in one of ``fp16``, ``tf32``."""
    flop_per_s = card.flop_per_s * (1.0 if precision == "fp16" else TF32_SHARE)
    return Bounds(
        arithmetic=flop_per_s / cost.flop,
        memory=card.memory_bytes_per_s / cost.activation_bytes,
        pcie=card.pcie_bytes_per_s / max(cost.input_bytes, cost.output_bytes),
    )


def measure(settings: Settings, findings: Findings) -> None:
    """Tell what a frame costs in each precision, and what this card allows of it.

    Raises:
        BenchmarkError: If there is no network.
    """
    name = _card_name(findings) if settings.has_card else "no card"
    card = find_card(name)
    allowed = {}
    for precision in PRECISIONS:
        cost = network_cost(network_file(settings, settings.avatar, precision))
        bounds = bounds_of(card, cost, precision) if card else None
        findings.row(
            "roofline",
            precision=precision,
            gflop=cost.flop / 1e9,
            **{"activations, MB": cost.activation_bytes / 1e6, "in, KB": cost.input_bytes / 1e3},
            **{"out, KB": cost.output_bytes / 1e3},
            **{f"{key}, frames/s": value for key, value in asdict(bounds).items()} if bounds else {},
        )
        allowed[precision] = bounds.tightest if bounds else None
    if card is None:
        findings.note(
            "roofline", f"The data sheet of '{name}' is not in benchmarks/gpu/roofline.py: no bounds."
        )
    else:
        findings.note(
            "roofline", "Activations kept in the card's cache are not counted, so 'memory' can be exceeded."
        )
    findings.found("bounds", allowed)


def _card_name(findings: Findings) -> str:
    try:
        return gpu_name()
    except NotAvailable as exc:
        findings.note("roofline", str(exc))
        return "unknown"
