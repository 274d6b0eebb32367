"""From parameters to what is simulated: Tritons on a CPU as measured, on a GPU as hoped for, bridges and clients."""

from __future__ import annotations

from benchmarks.simulation.parameters import Parameters
from benchmarks.simulation.triton import TritonCosts
from benchmarks.simulation.world import BridgeCosts

__all__ = ["bridge", "cached_machine", "computed_machine", "cpu_triton", "gpu_triton", "live_machine"]


def cpu_triton(known: Parameters, cache_bytes: float = 0) -> TritonCosts:
    """Return a Triton that computes on its machine's cores: strategy ``latency``, or ``replay`` with a cache."""
    return TritonCosts(
        network_s=known["network_core_s"],
        network_width=known["network_width"],
        frame_core_s=known["frame_core_s"],
        picture_core_s=known["picture_core_s"],
        hit_core_s=known["hit_core_s"],
        vector_s=known["vector_core_s"],
        delay_s=known["frame_delay_s"],
        spread=known.values_of("network_spread"),
        cache_bytes=round(cache_bytes),
        picture_bytes=round(known["clip_picture_bytes"]),
    )


def gpu_triton(known: Parameters, cache_bytes: float = 0) -> TritonCosts:
    """Return a Triton that computes on a GPU, strategy ``hybrid``; its figures are goals."""
    batch = known["gpu_batch"]
    full_s, live_s = batch / known["gpu_frames_per_s"], batch / known["gpu_pictures_per_s"]
    share = known["gpu_fixed_share"]
    return TritonCosts(
        network_s=full_s * (1 - share) / batch,
        network_fixed_s=full_s * share,
        frame_core_s=known["gpu_frame_core_s"],
        picture_core_s=known["gpu_frame_core_s"],
        hit_core_s=known["hit_core_s"],
        vector_s=(live_s - full_s) / batch,
        instances=round(known["gpu_instances"]),
        batch=round(batch),
        cache_bytes=round(cache_bytes),
        picture_bytes=round(known["clip_picture_bytes"]),
    )


def bridge(known: Parameters) -> BridgeCosts:
    """Return a bridge whose clients are elsewhere."""
    return BridgeCosts(
        frame_core_s=known["bridge_cached_core_s"],
        picture_core_s=known["bridge_picture_core_s"],
        silent_core_s=known["bridge_silent_core_s"],
    )


def computed_machine(known: Parameters) -> BridgeCosts:
    """Return a bridge and its clients on Triton's own machine, for frames that are computed."""
    return BridgeCosts(
        frame_core_s=known["bridge_computed_core_s"],
        client_core_s=known["client_computed_core_s"],
        delay_s=known["bridge_delay_s"],
    )


def cached_machine(known: Parameters) -> BridgeCosts:
    """Return the same for frames from the response cache."""
    return BridgeCosts(
        frame_core_s=known["bridge_cached_core_s"],
        client_core_s=known["client_cached_core_s"],
        delay_s=known["bridge_delay_s"],
    )


def live_machine(known: Parameters) -> BridgeCosts:
    """Return the same for live sessions; what their clients spend is counted with the bridge, whose turn it is."""
    return BridgeCosts(
        picture_core_s=known["bridge_picture_core_s"] + known["client_picture_core_s"],
        silent_core_s=known["bridge_silent_core_s"],
    )
