/** The microphone: mono sound in small pieces, from `start` to `stop`. */

/** Raised where no microphone can be had; its message says what to do. */
export class MicrophoneError extends Error {}

/** @type {Record<string, string>} */
const ADVICE = {
  NotAllowedError: "The microphone is denied: allow it for this page in the browser's address bar, and press again",
  NotFoundError: "No microphone is found: plug one in and press again, or choose a sound file",
  NotReadableError: "The microphone does not answer: close what else uses it, and press again",
};

/** One microphone, which is open only while it is used: the browser shows that it is. */
export class Microphone {
  #onPiece;
  #onEnd;
  /** @type {MediaStream|null} */
  #stream = null;
  /** @type {AudioNode[]} */
  #nodes = [];
  #attempt = 0;

  /**
   * @param {(samples: Float32Array, capturedMs: number) => void} onPiece Called with each piece, and when its first
   *     sample was captured, by `performance.now()`.
   * @param {() => void} onEnd Called when the microphone goes away by itself.
   */
  constructor(onPiece, onEnd) {
    this.#onPiece = onPiece;
    this.#onEnd = onEnd;
  }

  /**
   * Open the microphone; a `stop` meanwhile holds.
   *
   * @param {AudioContext} context Nothing of the microphone is heard from it.
   * @returns {Promise<boolean>} Whether it is open.
   * @throws {MicrophoneError} If there is none.
   */
  async start(context) {
    if (!isSecureContext || !navigator.mediaDevices) throw new MicrophoneError(insecureAdvice());
    this.stop();
    const attempt = this.#attempt;
    await context.audioWorklet.addModule(new URL("microphone_worklet.js", import.meta.url));
    const stream = await openStream();
    if (attempt !== this.#attempt) {
      stopStream(stream);
      return false;
    }
    this.#stream = stream;
    stream.getAudioTracks()[0].addEventListener("ended", () => this.#onEnd());
    this.#connect(context, stream);
    return true;
  }

  stop() {
    this.#attempt += 1;
    for (const node of this.#nodes.splice(0)) node.disconnect();
    if (this.#stream) stopStream(this.#stream);
    this.#stream = null;
  }

  /**
   * @param {AudioContext} context
   * @param {MediaStream} stream
   */
  #connect(context, stream) {
    const source = new MediaStreamAudioSourceNode(context, { mediaStream: stream });
    const worklet = new AudioWorkletNode(context, "microphone", {
      numberOfOutputs: 1, // Safari runs only what leads to the destination; it stays silent
      channelCount: 1,
      channelCountMode: "explicit", // stereo is mixed down
    });
    const attempt = this.#attempt;
    worklet.port.onmessage = ({ data: { samples, timeS } }) => {
      if (attempt !== this.#attempt) return;
      this.#onPiece(samples, performance.now() - (context.currentTime - timeS) * 1000);
    };
    source.connect(worklet).connect(context.destination);
    this.#nodes = [source, worklet];
  }
}

async function openStream() {
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (cause) {
    throw new MicrophoneError(ADVICE[cause.name] ?? `The microphone cannot be used: ${cause.message}`, { cause });
  }
}

/** @param {MediaStream} stream */
function stopStream(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/** Browsers give a microphone only to pages whose source is sure. */
function insecureAdvice() {
  const port = location.port || "80";
  return (
    "Browsers give a microphone only to localhost or HTTPS: on this machine run " +
    `ssh -L ${port}:localhost:${port} ${location.hostname}, then open http://localhost:${port}/#speak; sound files work here too`
  );
}
