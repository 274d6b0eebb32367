"""``python -m livekit.plugins.lipsync.worker``: an avatar as a participant of its own, sent its speech by an agent.

It joins the room, waits for the agent, and stays until the agent leaves. Exit status: 0 then and after SIGTERM, 1 after
one sentence of error, 2 for bad arguments, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from livekit import api, rtc
from livekit.agents.types import ATTRIBUTE_PUBLISH_ON_BEHALF
from livekit.agents.voice.avatar import AvatarRunner, DataStreamAudioReceiver
from livekit.plugins.lipsync.avatar import end
from livekit.plugins.lipsync.generator import LipsyncGenerator

from lipsync_client import InvalidSetting, InvalidUrl, LipsyncError

__all__ = ["main", "serve"]

SIGTERM_STATUS = 0
INTERRUPTED_STATUS = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Serve one room and return the exit status."""
    parser = _build_parser(os.environ)
    args = parser.parse_args(argv)
    logging.basicConfig(
        level=args.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        token = _livekit_token(args, os.environ)
    except InvalidSetting as exc:
        parser.error(str(exc))
    try:
        return asyncio.run(_run(args, token))
    except (InvalidUrl, InvalidSetting) as exc:
        parser.error(str(exc))
    except (LipsyncError, rtc.ConnectError) as exc:
        print(f"error: {_sentence(exc, args)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS


async def serve(room: rtc.Room, generator: LipsyncGenerator, agent: str | None = None) -> None:
    """Give an agent of a room a face until it leaves, or until the room is left.

    Args:
        room: Connected.
        generator: Started; its owner closes it.
        agent: The identity of the participant whose speech comes; None for the first agent.
    """
    left = asyncio.Event()
    speakers: set[str] = set() if agent is None else {agent}

    def on_left(participant: rtc.RemoteParticipant) -> None:
        is_agent = participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        if participant.identity in speakers or (agent is None and is_agent):
            left.set()

    def on_disconnected(*_: object) -> None:
        left.set()

    room.on("participant_disconnected", on_left)
    room.on("disconnected", on_disconnected)
    runner = AvatarRunner(
        room,
        audio_recv=DataStreamAudioReceiver(room, sender_identity=agent),
        video_gen=generator,
        options=generator.options,
    )
    starting = asyncio.create_task(runner.start())
    leaving = asyncio.create_task(left.wait())
    try:
        await asyncio.wait({starting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not left.is_set():
            starting.result()
            await leaving
    finally:
        for task in (starting, leaving):
            task.cancel()
        await asyncio.gather(starting, leaving, return_exceptions=True)
        room.off("participant_disconnected", on_left)
        room.off("disconnected", on_disconnected)
        await end(runner, started=not starting.cancelled() and starting.exception() is None)


async def _run(args: argparse.Namespace, token: str) -> int:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    generator = LipsyncGenerator(args.url, args.avatar, **_settings(args))
    room = rtc.Room()
    with contextlib.suppress(asyncio.CancelledError):
        async with generator:
            try:
                await room.connect(args.livekit_url, token)
                await serve(room, generator, args.agent)
            finally:
                await room.disconnect()
    return SIGTERM_STATUS


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    names = ("sample_rate", "low_latency", "height", "token", "root_certificates")
    return {name: getattr(args, name) for name in names}


def _livekit_token(args: argparse.Namespace, environment: Mapping[str, str]) -> str:
    """Return the token to join with: the one given, or one that is made with the server's key and secret.

    Raises:
        InvalidSetting: If there is neither.
    """
    if args.livekit_token is not None:
        return str(args.livekit_token)
    key, secret = environment.get("LIVEKIT_API_KEY"), environment.get("LIVEKIT_API_SECRET")
    if not (key and secret and args.room):
        raise InvalidSetting(
            "LIVEKIT_TOKEN", "a token, or LIVEKIT_API_KEY, LIVEKIT_API_SECRET and --room", "neither"
        )
    token = api.AccessToken(key, secret).with_kind("agent").with_identity(args.identity)
    token = token.with_grants(api.VideoGrants(room_join=True, room=args.room))
    if args.agent is not None:
        token = token.with_attributes({ATTRIBUTE_PUBLISH_ON_BEHALF: args.agent})
    return token.to_jwt()


def _sentence(exc: Exception, args: argparse.Namespace) -> str:
    if isinstance(exc, rtc.ConnectError):
        return f"expected a LiveKit server that lets us in at {args.livekit_url}, got: {exc.message}"
    return str(exc)


def _build_parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m livekit.plugins.lipsync.worker",
        description="Join a LiveKit room as the face of an agent, which sends its speech here.",
    )
    given = environment.get
    parser.add_argument(
        "--url", default="http://localhost:8086", help="of the bridge (default: http://localhost:8086)"
    )
    parser.add_argument("--avatar", required=True, help="whose face speaks")
    parser.add_argument(
        "--livekit-url",
        default=given("LIVEKIT_URL") or "ws://localhost:7880",
        help="of LiveKit's server (default: LIVEKIT_URL, else ws://localhost:7880)",
    )
    parser.add_argument(
        "--livekit-token",
        default=given("LIVEKIT_TOKEN") or None,
        help="to join with (default: LIVEKIT_TOKEN, else one is made with LIVEKIT_API_KEY and LIVEKIT_API_SECRET)",
    )
    parser.add_argument("--room", help="the room that a token is made for")
    parser.add_argument(
        "--identity", default="lipsync", help="who to join as, where a token is made (default: lipsync)"
    )
    parser.add_argument("--agent", help="the participant whose speech comes (default: the first agent)")
    parser.add_argument("--sample-rate", type=int, default=16_000, metavar="HZ", help="(default: 16000)")
    parser.add_argument("--low-latency", action="store_true", help="pictures wait for less of the speech")
    parser.add_argument("--height", type=int, help="of the video, pixels (default: the clip's own)")
    parser.add_argument(
        "--root-certificates", metavar="FILE", help="authorities to trust, for TLS to the bridge"
    )
    parser.add_argument(
        "--token",
        default=given("LIPSYNC_TOKEN") or None,
        help="shown to a bridge that asks for one (default: LIPSYNC_TOKEN, where other users cannot see it)",
    )
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    return parser


if __name__ == "__main__":
    sys.exit(main())
