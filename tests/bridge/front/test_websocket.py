"""bridge/front/websocket.py"""

import asyncio

from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from bridge.front.websocket import FRAME_BYTES, Input, WebSocket


class Transport(asyncio.Transport):
    """Notes what it is told."""

    def __init__(self):
        super().__init__()
        self.told = []

    def __getattribute__(self, name):
        if name in ("told", "_extra", "__class__", "__dict__"):
            return super().__getattribute__(name)
        return lambda *arguments: self.told.append((name, *arguments))


def test_the_transport_is_passed_on():
    """All but whether to read goes to the transport."""
    transport, asked = Transport(), []
    seen = Input(transport, lambda: asked.append("pause"), lambda: asked.append("resume"))
    seen.pause_reading()
    seen.resume_reading()
    seen.write(b"a")
    seen.set_write_buffer_limits(2, 1)
    for name in ("write_eof", "can_write_eof", "close", "abort", "is_closing", "get_write_buffer_size"):
        getattr(seen, name)()
    seen.get_extra_info("socket")
    assert asked == ["pause", "resume"]
    assert [name for name, *_ in transport.told] == [
        *("write", "set_write_buffer_limits", "write_eof", "can_write_eof", "close", "abort", "is_closing"),
        *("get_write_buffer_size", "get_extra_info"),
    ]


async def test_what_is_held():
    """What the library holds is counted until it is read, in whole messages and what has begun of the next."""
    websocket = WebSocket(ServerProtocol(), None)
    websocket.recv_messages = asyncio.Queue()
    websocket.recv_messages.put = lambda frame: None
    websocket.request = object()
    reads = []
    websocket.on_read = lambda: reads.append(websocket.held_bytes)
    websocket.process_event(Frame(Opcode.BINARY, b"abc", fin=False))
    assert websocket.held_bytes == 0
    websocket.process_event(Frame(Opcode.CONT, b"de"))
    websocket.process_event(Frame(Opcode.TEXT, b"f"))
    assert websocket.held_bytes == 3 * FRAME_BYTES + 6
