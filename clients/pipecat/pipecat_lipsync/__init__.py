"""A face for Pipecat voice agents: lip-sync avatars served by NVIDIA Triton."""

__version__ = "0.1.0"
