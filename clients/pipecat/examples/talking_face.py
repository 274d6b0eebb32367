"""A face in the browser that says a recording again and again: http://localhost:7860/face, while ``make demo`` runs.

A voice agent has its speech recognition, language model and text to speech between input and face.
"""

import asyncio
import os
import wave
from pathlib import Path

from fastapi.responses import FileResponse
from pipecat.frames.frames import TTSAudioRawFrame, TTSStartedFrame, TTSStoppedFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.runner.run import app, main
from pipecat.runner.types import SmallWebRTCRunnerArguments
from pipecat.transports.base_transport import TransportParams
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport
from pipecat.workers.runner import WorkerRunner

from pipecat_lipsync import LipSyncVideoService

PAGE = Path(__file__).with_name("face.html")
RECORDING = Path(__file__).parents[3] / "demo" / "recordings" / "heldout.wav"
RATE = 16_000
PAUSE_S = 3.0


@app.get("/face")
async def page() -> FileResponse:
    """Return a page that shows one video; Pipecat's own, at the root, asks a server elsewhere for a part of itself."""
    return FileResponse(PAGE)


async def bot(arguments: SmallWebRTCRunnerArguments) -> None:
    """Run one browser's pipeline; Pipecat's runner calls this when one connects."""
    video = {
        "video_out_enabled": True,
        "video_out_width": 512,
        "video_out_height": 512,
        "video_out_framerate": 25,
    }
    transport = SmallWebRTCTransport(
        arguments.webrtc_connection, TransportParams(audio_out_enabled=True, **video)
    )
    url = os.environ.get("LIPSYNC_URL", "http://localhost:8086")
    patience_s = float(os.environ.get("LIPSYNC_PICTURE_TIMEOUT_S", "2"))  # more on a machine that is busy
    face = LipSyncVideoService(url=url, avatar="demo", picture_timeout_s=patience_s)
    pipeline = Pipeline([transport.input(), face, transport.output()])
    worker = PipelineWorker(pipeline, params=PipelineParams(audio_out_sample_rate=RATE))
    connected = asyncio.Event()

    @face.event_handler("on_connected")
    async def begin(face: LipSyncVideoService) -> None:
        connected.set()

    @transport.event_handler("on_client_connected")
    async def speak(transport: SmallWebRTCTransport, client: object) -> None:
        await connected.wait()  # without it the voice would go on alone
        while not worker.has_finished():
            with wave.open(str(RECORDING)) as sound:
                speech = TTSAudioRawFrame(sound.readframes(sound.getnframes()), RATE, num_channels=1)
            await worker.queue_frames([TTSStartedFrame(), speech, TTSStoppedFrame()])
            await asyncio.sleep(speech.num_frames / RATE + PAUSE_S)

    @transport.event_handler("on_client_disconnected")
    async def leave(transport: SmallWebRTCTransport, client: object) -> None:
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=arguments.handle_sigint)
    await runner.add_workers(worker)
    await runner.run()


if __name__ == "__main__":
    main()
