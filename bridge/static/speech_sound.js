/** The sound of what is said, and the clock that the lips follow while it is heard. */

const RATES_HZ = { min: 8000, max: 48_000 }; // what the bridge takes
const START_S = 0.01; // a source cannot start sooner than the next samples are computed

/** One AudioContext, which plays one recording at a time. */
export class SpeechSound {
  /** @type {AudioContext|null} */
  #context = null;
  /** @type {AudioBufferSourceNode|null} */
  #source = null;
  #durationS = 0; // of the recording
  #zeroS = 0; // when the recording's first sample would sound, by the context's clock
  #starts = 0;

  /** The context, which runs once `unlock` was called from a touch. */
  get context() {
    this.#context ??= newContext();
    return this.#context;
  }

  /** Whether a recording is heard now, or about to be. */
  get isPlaying() {
    return this.#source !== null && this.positionS < this.#durationS;
  }

  /** Where in the recording the ear is, in seconds; below 0 if it is yet to begin. */
  get positionS() {
    return this.#heardS() - this.#zeroS;
  }

  /** How often a recording was started, or went on after a pause. */
  get starts() {
    return this.#starts;
  }

  /** Let sound be heard from now on; to be called while the user presses something. */
  unlock() {
    this.context.resume().catch(() => {}); // then it stays as it was, and the lips move in silence
  }

  /**
   * Decode a sound file, to the context's rate.
   *
   * @param {ArrayBuffer} bytes
   */
  decode(bytes) {
    return this.context.decodeAudioData(bytes);
  }

  /**
   * Play a recording, or go on with it.
   *
   * @param {AudioBuffer} buffer
   * @param {number} offsetS What sounds first.
   * @param {number} atMs When it is to be heard, by `performance.now()`; later if that is too soon.
   */
  play(buffer, offsetS, atMs) {
    this.stop();
    if (this.context.state !== "running" || offsetS >= buffer.duration) return;
    const wantedS = this.#heardS() + (atMs - performance.now()) / 1000;
    const startS = Math.max(wantedS, this.context.currentTime + START_S);
    this.#durationS = buffer.duration;
    this.#zeroS = startS - offsetS;
    this.#starts += 1;
    this.#source = new AudioBufferSourceNode(this.context, { buffer });
    this.#source.connect(this.context.destination);
    this.#source.start(startS, offsetS);
  }

  /** Be silent at once. */
  stop() {
    this.#source?.stop();
    this.#source?.disconnect();
    this.#source = null;
  }

  /** Return the context's time of what leaves the loudspeaker now, which lags behind what is computed. */
  #heardS() {
    const { contextTime = 0, performanceTime } = this.context.getOutputTimestamp();
    if (!performanceTime) return this.context.currentTime; // nothing has left it yet
    return contextTime + (performance.now() - performanceTime) / 1000;
  }
}

/** Open the device at its own rate, or at one that the bridge takes. */
function newContext() {
  const context = new AudioContext({ latencyHint: "interactive" });
  if (context.sampleRate >= RATES_HZ.min && context.sampleRate <= RATES_HZ.max) return context;
  context.close();
  return new AudioContext({ latencyHint: "interactive", sampleRate: RATES_HZ.max });
}
