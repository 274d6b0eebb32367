"""bridge/live/engine.py, with a clock and a Triton that are simulated"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.live.clip import frame_at
from bridge.live.engine import Engine
from bridge.live.requests import EncodeRequest, EngineOptions, Picture
from bridge.live.wire import Flags
from tests.bridge.live.simulation import BOUNDS, Simulation, expected_pictures

FRAMES = 37


def sound(seconds, seed=0):
    """Return noise at 16 kHz."""
    return (np.random.default_rng(seed).normal(size=round(seconds * 16_000)) * 0.1).astype(np.float32)


def options(**changes):
    return EngineOptions(**{"frame_count": FRAMES, **changes})


def unpaced(**changes):
    return options(paced=False, **changes)


def assert_is(pictures, samples, first_sample=0):
    """Check that pictures are those of a sound in one piece, each with its sample."""
    assert [picture.jpeg for picture in pictures] == expected_pictures(samples)
    assert [picture.sample for picture in pictures] == [first_sample + 640 * i for i in range(len(pictures))]
    assert all(picture.bounds == BOUNDS for picture in pictures)


def assert_in_order(simulation):
    """Check that numbers only go on within an epoch, and that each names the frame that is its turn."""
    for before, after in itertools.pairwise(simulation.pictures):
        assert after.epoch > before.epoch or after.number > before.number
    assert all(picture.frame_id == frame_at(picture.number, FRAMES) for picture in simulation.pictures)


@settings(max_examples=15, deadline=None)
@given(
    count=st.integers(1, 30_000),
    sizes=st.lists(st.integers(1, 8_000), max_size=20),
    latency_s=st.sampled_from([0.0, 0.03, 0.2]),
    jitter_s=st.sampled_from([0.0, 0.1]),
)
def test_any_chunks_give_the_same_pictures(count, sizes, latency_s, jitter_s):
    """Without a clock every picture comes, in order, whatever the pieces and however Triton's answers overtake."""
    samples = sound(count / 16_000)
    simulation = Simulation(unpaced(), latency_s, jitter_s)
    start = 0
    for size in [*sizes, count]:
        piece = samples[start : start + size]
        start += len(piece)
        if len(piece):
            simulation.at(0, lambda engine, now_s, piece=piece: engine.feed(piece, len(piece), now_s))
    simulation.at(0.01, lambda engine, now_s: engine.end(np.zeros(0, np.float32), now_s))
    simulation.run(count / 5_000 + 4)
    assert_is(simulation.pictures, samples)
    assert simulation.events[-1] == {
        "type": "ended",
        "epoch": 0,
        "samples": count,
        "pictures": -(-count // 640),
        "skipped": 0,
    }


@pytest.mark.parametrize("real_time", [False, True], ids=["burst", "real time"])
def test_an_utterance_in_a_paced_session(real_time):
    """The utterance's pictures are those of the whole, silent ones before and after; no number is left out."""
    samples = sound(3.21)
    simulation = Simulation(options(), jitter_s=0.03)
    said_s = simulation.say(1.0, samples, 640, real_time)
    simulation.run(said_s + 5)
    assert_is(simulation.speaking(), samples)
    assert_in_order(simulation)
    numbers = [picture.number for picture in simulation.pictures]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert simulation.kinds() == ["speaking", "ended", "idle"]
    flags = [picture.flags for picture in simulation.speaking()]
    assert flags[0] == Flags.SPEECH | Flags.FIRST
    assert flags[-1] == Flags.SPEECH | Flags.LAST
    assert set(flags[1:-1]) == {Flags.SPEECH}
    assert {picture.sample for picture in simulation.pictures if picture.flags == Flags.SILENT} == {-1}


def test_the_first_picture_of_a_burst():
    """It comes two answers of Triton after the sound: seven vectors, then the picture."""
    simulation = Simulation(options())
    simulation.say(1.0, sound(2.0))
    simulation.run(2.0)
    assert simulation.speaking()[0].time_s - 1.0 <= 2 * simulation.latency_s + 0.02
    assert simulation.engine.counts.first_picture_s[0] <= 2 * simulation.latency_s + 0.02


def test_the_first_picture_from_a_microphone():
    """It comes the look-ahead of 452.5 ms after the sound began, and two answers of Triton."""
    simulation = Simulation(options())
    simulation.say(1.0, sound(2.0), 160, real_time=True)
    simulation.run(2.0)
    first_s = simulation.speaking()[0].time_s - 1.0
    assert 0.44 <= first_s <= 0.4525 + 2 * simulation.latency_s + 0.03


def test_low_latency_is_sooner():
    """With no look-ahead the first picture comes 240 ms sooner."""
    first_s = []
    for look_ahead in (6, 0):
        simulation = Simulation(options(look_ahead=look_ahead))
        simulation.say(1.0, sound(2.0), 160, real_time=True)
        first_s.append(simulation.run(2.5).speaking()[0].time_s)
    assert first_s[0] - first_s[1] == pytest.approx(0.24, abs=0.02)


def test_the_lead_is_bounded():
    """Of a long burst no picture comes more than the lead before it is due."""
    simulation = Simulation(options(lead_s=1.0))
    simulation.say(1.0, sound(10.0))
    simulation.run(14)
    assert_is(simulation.speaking(), sound(10.0))
    early_s = [picture.number / 25 - picture.time_s for picture in simulation.speaking()]
    assert 0.8 < max(early_s) <= 1.05


def test_two_utterances_follow_one_another():
    """What is sent while the first is shown is an utterance of its own, whose samples go on."""
    first, second = sound(1.0, 1), sound(1.3, 2)
    simulation = Simulation(options())
    simulation.say(1.0, first)
    simulation.say(1.1, second)
    simulation.run(6)
    speaking = simulation.speaking()
    assert_is(speaking[:25], first)
    assert_is(speaking[25:], second, first_sample=16_000)
    assert speaking[25].number == speaking[24].number + 1
    assert simulation.kinds() == ["speaking", "ended", "speaking", "ended", "idle"]


def test_interrupted():
    """After the acknowledgement no picture of the old epoch comes; what is said next begins anew."""
    simulation = Simulation(options(), jitter_s=0.05)
    simulation.say(1.0, sound(4.0, 1), end=False)
    simulation.at(2.0, lambda engine, now_s: engine.interrupt(now_s))
    simulation.say(2.01, sound(1.0, 2))
    simulation.run(6)
    place = simulation.log.index("interrupted")
    after = [entry for entry in simulation.log[place:] if not isinstance(entry, str)]
    assert {picture.epoch for picture in after} == {1}
    assert_is([picture for picture in after if Flags.SPEECH in picture.flags], sound(1.0, 2), 64_000)
    acknowledged = simulation.events[simulation.kinds().index("interrupted")]
    shown = next(p for p in simulation.speaking() if p.number == acknowledged["number"] - 1)
    assert acknowledged["sample"] == shown.sample + 639
    assert_in_order(simulation)


def test_interrupted_in_silence():
    """Where nothing was said, the acknowledgement names no sample."""
    simulation = Simulation(options())
    simulation.at(1.0, lambda engine, now_s: engine.interrupt(now_s))
    simulation.run(1.5)
    assert simulation.events[0]["sample"] is None


def test_answers_after_an_interrupt_are_dropped():
    """Vectors and pictures that were under way belong to nobody, and the next utterance is not held up."""
    simulation = Simulation(options(), latency_s=0.15)
    simulation.say(1.0, sound(2.0, 1), end=False)
    simulation.at(1.2, lambda engine, now_s: engine.interrupt(now_s))
    simulation.say(1.2, sound(0.6, 2))
    simulation.run(4)
    assert_is([p for p in simulation.speaking() if p.epoch == 1], sound(0.6, 2), 32_000)


def test_missing_sound():
    """While sound is missing silent pictures go on; then the utterance does, whole and unhurried."""
    samples = sound(3.0)
    simulation = Simulation(options())
    simulation.say(1.0, samples[:24_000], 640, real_time=True, end=False)
    simulation.say(4.0, samples[24_000:], 640, real_time=True)
    simulation.run(9)
    assert_is(simulation.speaking(), samples)
    assert_in_order(simulation)
    assert simulation.kinds() == ["speaking", "idle", "speaking", "ended", "idle"]
    assert simulation.events[1]["reason"] == "starved"
    assert simulation.engine.counts.starved == 1
    assert simulation.engine.counts.skipped == 0


def test_a_short_stall_of_the_sound_is_ridden_out():
    """Sound that is a tenth of a second late leaves nothing out and brings no silent picture."""
    samples = sound(3.0)
    simulation = Simulation(options())
    simulation.say(1.0, samples[:24_000], 640, real_time=True, end=False)
    simulation.say(2.6, samples[24_000:], 640, real_time=True)
    simulation.run(8)
    assert_is(simulation.speaking(), samples)
    assert simulation.kinds() == ["speaking", "ended", "idle"]


def test_a_triton_that_is_too_slow():
    """Pictures whose time is over are left out and counted; those that come stay within 0.6 s of their time."""
    simulation = Simulation(options(requests=4), latency_s=0.3)
    simulation.say(1.0, sound(6.0))
    simulation.run(12)
    counts = simulation.engine.counts
    ended = next(event for event in simulation.events if event["type"] == "ended")
    assert counts.skipped > 20
    assert (ended["pictures"], ended["skipped"]) == (counts.pictures, counts.skipped)
    assert counts.pictures + counts.skipped == 150
    assert max(picture.time_s - picture.number / 25 for picture in simulation.speaking()) < 0.6
    offsets = {picture.number - picture.sample // 640 for picture in simulation.speaking()}
    assert len(offsets) == 1  # the mouth stays with the sound
    spoken = [Flags.SPEECH in picture.flags for picture in simulation.pictures]
    first, last = spoken.index(True), len(spoken) - 1 - spoken[::-1].index(True)
    assert all(spoken[first : last + 1])  # no shut mouth in between
    gaps = np.diff([picture.number for picture in simulation.speaking()])
    assert gaps.max() <= 8  # no long halt


def test_a_lost_picture_is_left_out():
    """One that Triton never paints is counted, and holds nobody up."""
    simulation = Simulation(options(), lose=lambda request: request.sample == 640 * 7)
    simulation.say(1.0, sound(1.0))
    simulation.run(4)
    assert [picture.sample // 640 for picture in simulation.speaking()] == [i for i in range(25) if i != 7]
    assert simulation.events[1] == {
        "type": "ended",
        "epoch": 0,
        "samples": 16_000,
        "pictures": 24,
        "skipped": 1,
    }


def test_a_lost_last_picture_ends_the_utterance():
    """``ended`` comes even where the last picture never does."""
    simulation = Simulation(options(), lose=lambda request: Flags.LAST in request.flags)
    simulation.say(1.0, sound(1.0))
    simulation.run(4)
    assert simulation.kinds() == ["speaking", "ended", "idle"]


def test_idling_asks_for_each_frame_once():
    """The clip goes forth and back; after its first loop nothing is asked for any more."""
    simulation = Simulation(options())
    simulation.run(2 * FRAMES / 25)
    asked = list(simulation.engine.requests(simulation.now_s))
    assert asked == []
    assert len(simulation.engine.silent_pictures) == FRAMES
    assert_in_order(simulation)
    assert {picture.flags for picture in simulation.pictures} == {Flags.SILENT}


def test_nothing_was_said():
    """An end without sound is answered at once."""
    simulation = Simulation(unpaced())
    simulation.at(0, lambda engine, now_s: engine.end(np.zeros(0, np.float32), now_s))
    simulation.run(0.1)
    assert simulation.events == [{"type": "ended", "epoch": 0, "samples": 0, "pictures": 0, "skipped": 0}]


def test_what_is_held():
    """Sound that waits for its pictures is told in seconds, and becomes less as they are asked for."""
    simulation = Simulation(options(lead_s=1.0))
    simulation.say(1.0, sound(10.0), end=False)
    simulation.run(1.5)
    assert simulation.engine.held_s == pytest.approx(8.5, abs=0.3)
    simulation.run(5.5)
    assert simulation.engine.held_s == pytest.approx(4.5, abs=0.3)


def test_another_rate_counts_the_clients_samples():
    """At 24 kHz a picture's sample is 960 after the one before it."""
    simulation = Simulation(unpaced(samples_per_frame=960.0))
    samples = sound(0.4)
    simulation.at(0, lambda engine, now_s: engine.feed(samples, 9_600, now_s))
    simulation.at(0, lambda engine, now_s: engine.end(np.zeros(0, np.float32), now_s))
    simulation.run(2)
    assert [picture.sample for picture in simulation.pictures] == [960 * i for i in range(10)]
    assert simulation.events[-1]["samples"] == 9_600


def test_ten_minutes_in_real_time():
    """Fed in real time for ten minutes, no picture is missing, and picture and sound end within a frame."""
    simulation = Simulation(options(), jitter_s=0.02)
    seconds, piece = 600, np.zeros(640, np.float32)
    for number in range(seconds * 25):
        simulation.at(1.0 + number / 25, lambda engine, now_s: engine.feed(piece, 640, now_s))
    simulation.run(seconds + 2)
    speaking = simulation.speaking()
    first, last = speaking[0], speaking[-1]
    assert last.number - first.number == (last.sample - first.sample) / 640 == len(speaking) - 1
    assert len(speaking) >= seconds * 25 - 12
    assert last.time_s - first.time_s == pytest.approx((last.number - first.number) / 25, abs=0.04)


def test_an_utterance_that_is_left_out_gives_back_its_encoder():
    """Vectors that come after all pictures of their utterance were left out do not count as under way for ever."""
    engine = Engine(options(requests=1), 0.0)

    def encoding(time_s):
        return [request for request in engine.requests(time_s) if isinstance(request, EncodeRequest)]

    for time_s in (0.0, 10.0):
        engine.feed(sound(2.0), 32_000, time_s)
        engine.end(np.zeros(0, np.float32), time_s)
        late = encoding(time_s)
        while not engine._waiting:
            for request in late:
                engine.encoded(request, np.zeros((len(request.samples), 512), np.float32))
            late = encoding(time_s)
        for request in late:
            engine.encoded(request, np.zeros((len(request.samples), 512), np.float32))
        late = encoding(time_s)
        engine.painted(engine._waiting[0].request, Picture(b"", BOUNDS))
        list(engine.messages(time_s + 0.1))
        assert encoding(time_s + 5) == []
        assert any('"ended"' in m for m in engine.messages(time_s + 5) if isinstance(m, str))
        for request in late:
            engine.encoded(request, np.zeros((len(request.samples), 512), np.float32))
    assert late


def test_an_utterance_without_a_sample_has_ended():
    """Where no sample comes of what was sent, there is no picture to wait for."""
    for changes in ({}, {"paced": False}):
        simulation = Simulation(options(**changes))
        simulation.say(1.0, np.zeros(0, np.float32), chunk=1)
        simulation.at(1.0, lambda engine, now_s: engine.feed(np.zeros(0, np.float32), 3, now_s))
        simulation.at(1.1, lambda engine, now_s: engine.end(np.zeros(0, np.float32), now_s))
        simulation.run(1.5)
        assert simulation.kinds()[-1] == "ended"
        assert simulation.events[-1]["samples"] == 3


def test_every_utterance_is_a_picture_at_least():
    """What waits is counted in pictures: utterances of a sample each are not next to nothing."""
    engine = Engine(options(), 0.0)
    for _ in range(50):
        engine.feed(np.ones(1, np.float32), 1, 0.0)
        engine.end(np.zeros(0, np.float32), 0.0)
    assert engine.held_s == 2.0
