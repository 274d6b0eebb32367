"""bridge/live/hub.py, with a fake Triton"""

import contextlib

import pytest

from bridge.access.client import Client
from bridge.balancer import Balancer
from bridge.errors import UnknownModel
from bridge.live.errors import CannotHear, NoRoom
from bridge.live.hub import Hub
from bridge.live.wire import Start
from bridge.metrics import Metrics
from bridge.service import Service
from bridge.workers.team import Team
from tests.bridge.helpers import config_for

ECHO = Start("echo")


@contextlib.asynccontextmanager
async def hub_for(triton, team=None, **settings):
    """Make a hub with these settings; yields it and its metrics as text."""
    config = config_for(triton, **settings)
    metrics = Metrics()
    async with Balancer(config) as balancer:
        service = Service(config, balancer, metrics)
        hub = Hub(config, balancer, service, metrics.live, team)
        yield hub, lambda name: metrics_value(metrics, name)
        await hub.close()
        await service.close()


def metrics_value(metrics, name):
    """Return the value of ``lipsync_bridge_speech_<name>``."""
    lines = metrics.render().decode().splitlines()
    (line,) = [line for line in lines if line.startswith(f"lipsync_bridge_speech_{name} ")]
    return float(line.rpartition(" ")[2])


async def seated(stack, hub, address="a"):
    """Have a session admitted until the stack is closed."""
    return await stack.enter_async_context(hub.seat(ECHO, Client(address)))


async def test_a_seat(triton):
    """A session has its avatar's metadata and silent clip, and is counted for as long as it lasts."""
    async with hub_for(triton) as (hub, value):
        async with hub.seat(ECHO, Client("a")) as seat:
            assert (seat.metadata.frame_count, seat.clip.frame_count, seat.alone) == (37, 37, True)
            assert value("sessions") == 1
        assert value("sessions") == 0


@pytest.mark.parametrize(
    ("limit", "address"), [("speech_sessions_max", "b"), ("speech_sessions_per_client", "a")]
)
async def test_limits(triton, limit, address):
    """No more sessions than may be, in all and of one address; one that ends makes room."""
    async with hub_for(triton, speech_admission="off", **{limit: 2}) as (hub, value):
        async with contextlib.AsyncExitStack() as stack:
            assert [(await seated(stack, hub)).alone for _ in range(2)] == [True, False]
            with pytest.raises(NoRoom, match=r"^expected room for one more live session, got 2 of"):
                await seated(stack, hub, address)
            assert value("refused_total") == 1
        async with contextlib.AsyncExitStack() as stack:
            await seated(stack, hub, address)


async def test_another_client_finds_room(triton):
    """What one address may not is no matter to another."""
    settings = {"speech_admission": "off", "speech_sessions_per_client": 1}
    async with hub_for(triton, **settings) as (hub, _), contextlib.AsyncExitStack() as stack:
        for address in "abc":
            await seated(stack, hub, address)


async def test_of_one_token(triton):
    """A token has so many sessions, from whichever addresses they come."""
    settings = {"speech_admission": "off", "speech_sessions_per_client": 1}
    async with (
        hub_for(triton, **settings) as (hub, _),
        hub.seat(ECHO, Client("a", "site/anna")),
        hub.seat(ECHO, Client("b", "site/berta")),
    ):
        with pytest.raises(NoRoom, match="got 1 of one client already"):
            async with hub.seat(ECHO, Client("c", "site/anna")):
                pass


@pytest.mark.parametrize(("pictures_per_s", "most"), [(10, 1), (60, 2), (100, 3), (1_010, 36)])
async def test_measured(triton, pictures_per_s, most):
    """As many sessions are admitted as nine tenths of Triton's pictures are enough for, and one in any case."""
    async with hub_for(triton, speech_sessions_per_client=100) as (hub, value):
        async with contextlib.AsyncExitStack() as stack:
            (await seated(stack, hub)).clip.pictures_per_s = pictures_per_s
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(most):
                await seated(stack, hub)
            sentence = (
                f"expected room for one more live session, got {most} that Triton paints for already; "
                "try again later"
            )
            with pytest.raises(NoRoom) as caught:
                await seated(stack, hub)
            assert str(caught.value) == sentence
            assert (value("sessions"), value("refused_total")) == (most, 1)
        assert value("sessions") == 0


@pytest.mark.parametrize(("avatar", "error"), [("deaf", CannotHear), ("nobody", UnknownModel)])
async def test_who_is_not_admitted_takes_no_room(triton, avatar, error):
    """A session that cannot begin gives back what it was counted for."""
    async with hub_for(triton, speech_sessions_max=1) as (hub, value):
        for _ in range(2):
            with pytest.raises(error):
                async with hub.seat(Start(avatar), Client("a")):
                    pass
        assert value("sessions") == 0
        async with hub.seat(ECHO, Client("a")):
            pass


async def test_sessions_of_other_workers_count(triton, tmp_path):
    """Workers of one bridge admit as many sessions together as one alone: by number, and by Triton's pictures."""
    sessions, promised = [0.0, 3.0], [0.0, 0.75]
    team = Team(0, sessions, promised, tmp_path)
    async with (
        hub_for(triton, team, speech_sessions_max=4) as (hub, value),
        contextlib.AsyncExitStack() as stack,
    ):
        (await seated(stack, hub)).clip.pictures_per_s = 250
        assert sessions == [1.0, 3.0]
        with pytest.raises(NoRoom, match="4"):
            await seated(stack, hub)
        sessions[1] = 1.0
        assert not (await seated(stack, hub)).alone
        with pytest.raises(NoRoom, match="paints"):
            await seated(stack, hub)
        assert value("refused_total") == 2
    assert (sessions, promised[0]) == ([0.0, 1.0], 0.0)
