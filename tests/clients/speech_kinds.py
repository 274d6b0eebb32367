"""Both kinds of session behind one asynchronous face, so that one test can speak of both."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from lipsync_client import Ended, SpeechPicture, connect_speech, connect_speech_sync
from lipsync_client.speech_wire import Message

__all__ = ["KINDS", "Session", "opened_speech"]

KINDS = ("sync", "async")


class Session:
    """A session of any kind: that for threads runs in some, beside the event loop of the fake."""

    def __init__(self, session: Any) -> None:
        self.session = session

    async def call(self, method: str, *args: Any) -> Any:
        """Call any method that returns one thing."""
        function = getattr(self.session, method)
        if inspect.iscoroutinefunction(function):
            return await function(*args)
        return await asyncio.to_thread(function, *args)

    async def receive(self) -> Message:
        return await self.call("receive")

    async def until(self, kind: type) -> list[Message]:
        """Return the messages up to and with the first of a kind."""
        messages = [await self.receive()]
        while not isinstance(messages[-1], kind):
            messages.append(await self.receive())
        return messages

    async def say(self, pcm: bytes) -> list[SpeechPicture]:
        """Speak one utterance while its pictures are read, and return them."""
        sender = asyncio.create_task(self._send_and_end(pcm))
        try:
            messages = await self.until(Ended)
            await sender
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
        return [message for message in messages if isinstance(message, SpeechPicture)]

    async def listed(self, pictures: Any) -> list[Any]:
        """Return all that an iterator of either kind yields."""
        if isinstance(pictures, Iterator) or not hasattr(pictures, "__aiter__"):
            return await asyncio.to_thread(list, pictures)
        return [picture async for picture in pictures]

    async def _send_and_end(self, pcm: bytes) -> None:
        await self.call("send", pcm)
        await self.call("end")


@asynccontextmanager
async def opened_speech(kind: str, url: str, avatar: str = "echo", **settings: Any) -> AsyncIterator[Session]:
    """Open a session of a kind, without a clock unless told otherwise, and close it at the end."""
    settings = {"pacing": "none", **settings}
    if kind == "async":
        async with connect_speech(url, avatar, **settings) as session:
            yield Session(session)
        return
    opening = connect_speech_sync(url, avatar, **settings)
    opened = await asyncio.to_thread(opening.__enter__)
    try:
        yield Session(opened)
    finally:
        await asyncio.to_thread(opening.__exit__, None, None, None)
