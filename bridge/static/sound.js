/** An avatar's sound, and the clock that pictures follow while it is heard. */

import { fetchWithToken } from "./token.js";

const SAMPLE_RATE_HZ = 16_000;
const START_S = 0.01; // a source cannot start sooner than the next samples are computed

/** @import { Model } from "./player.js" */

/** The sound of one avatar at a time; it plays in a loop, as the pictures do. */
export class Sound {
  #onChange;
  /** @type {AudioContext|null} */
  #context = null; // browsers give one that runs only to a page that was touched
  /** @type {GainNode|null} */
  #gain = null;
  /** @type {AudioBuffer|null} */
  #buffer = null;
  /** @type {AudioBufferSourceNode|null} */
  #source = null;
  #zeroS = 0; // when playback began, or would have, by the context's clock
  /** @type {string|null|undefined} */
  #key = null; // of the avatar whose sound is here, on its way, or known not to be
  #isMuted = false;

  /** @param {() => void} onChange Called when `exists` or `isMuted` may have changed. */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** Whether the avatar has a sound that came and can be decoded. */
  get exists() {
    return this.#buffer !== null;
  }

  /** Whether it can be heard now. */
  get isReady() {
    return this.exists && this.#context?.state === "running";
  }

  get isMuted() {
    return this.#isMuted;
  }

  set isMuted(isMuted) {
    this.#isMuted = isMuted;
    if (this.#gain) this.#gain.gain.value = isMuted ? 0 : 1;
    this.#onChange();
  }

  /** Milliseconds since playback began, by what is heard at this moment. */
  get elapsedMs() {
    return (this.#heardS() - this.#zeroS) * 1000;
  }

  /**
   * Take another avatar's sound, or none for null; one that did not come is fetched at the next call.
   *
   * @param {Model|null} model
   */
  async load(model) {
    const key = model && `${model.name} ${model.frame_count}`;
    if (key === this.#key) return;
    this.#key = key;
    this.stop();
    this.#buffer = null;
    this.#onChange();
    if (!model) return;
    try {
      const buffer = await fetchSound(`audio/${encodeURIComponent(model.name)}.wav`);
      if (key === this.#key) this.#buffer = buffer;
    } catch (error) {
      if (key === this.#key) this.#key = undefined;
      console.debug(`The sound of ${model.name} did not come: ${error.message}`);
    }
    this.#onChange();
  }

  /** Let sound be heard from now on; to be called while the user presses something. */
  unlock() {
    if (!this.#context) {
      this.#context = new AudioContext();
      this.#gain = new GainNode(this.#context, { gain: this.#isMuted ? 0 : 1 });
      this.#gain.connect(this.#context.destination);
    }
    this.#context.resume().catch(() => {}); // then it stays as it was, which `isReady` tells
  }

  /**
   * Join a playback that is under way; needs `isReady`.
   *
   * @param {number} firstS Where in the clip that playback began, in seconds.
   * @param {number} elapsedS How long ago; below 0 if it is yet to begin.
   * @param {number} lengthS How long one round of the clip takes.
   */
  start(firstS, elapsedS, lengthS) {
    this.stop();
    if (!this.#context || !this.#gain || !this.#buffer) return;
    this.#zeroS = this.#heardS() - elapsedS;
    const startS = Math.max(this.#context.currentTime + START_S, this.#zeroS);
    const playbackRate = this.#buffer.duration / lengthS; // 1, but for what rounding takes at odd frame rates
    this.#source = new AudioBufferSourceNode(this.#context, { buffer: this.#buffer, loop: true, playbackRate });
    this.#source.connect(this.#gain);
    this.#source.start(startS, ((firstS + startS - this.#zeroS) % lengthS) * playbackRate);
  }

  stop() {
    this.#source?.stop();
    this.#source = null;
  }

  /** Return the context's time of what leaves the loudspeaker now, which lags behind what is computed. */
  #heardS() {
    const context = /** @type {AudioContext} */ (this.#context);
    const { contextTime = 0, performanceTime } = context.getOutputTimestamp();
    if (!performanceTime) return context.currentTime; // nothing has left it yet
    return contextTime + (performance.now() - performanceTime) / 1000;
  }
}

/**
 * Fetch and decode a WAV file; null where the clip is silent.
 *
 * @param {string} url
 */
async function fetchSound(url) {
  const answer = await fetchWithToken(url);
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return new OfflineAudioContext(1, 1, SAMPLE_RATE_HZ).decodeAudioData(await answer.arrayBuffer());
}
