"""A face for Pipecat voice agents: lip-sync avatars served by NVIDIA Triton."""

from pipecat_lipsync.service import LipSyncVideoService

__all__ = ["LipSyncVideoService"]
