"""A face for LiveKit voice agents: lip-sync avatars served by NVIDIA Triton."""

import logging
from importlib.metadata import version

from livekit.agents import Plugin
from livekit.plugins.lipsync.avatar import AvatarSession
from livekit.plugins.lipsync.generator import LipsyncGenerator

__all__ = ["AvatarSession", "LipsyncGenerator", "__version__"]

__version__ = version("livekit-plugins-lipsync")


class LipsyncPlugin(Plugin):
    """What LiveKit lists this plugin as."""

    def __init__(self) -> None:
        super().__init__(__name__, __version__, __name__, logging.getLogger(__name__))


Plugin.register_plugin(LipsyncPlugin())
