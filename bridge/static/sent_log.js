/** When sound was there, and how long after it the lips moved. */

const PIECES = 3000; // a minute of a microphone
const RECENT = 25;

/** @import { SpeechPicture, Started } from "./speech_protocol.js" */

/**
 * Sound that was there at once, or, where a rate is given, one sample after the other from `atMs` on.
 *
 * @typedef {{firstSample: number, count: number, atMs: number, rate?: number}} Piece
 */

/** When each sample was sent, or captured. */
export class SentLog {
  /** @type {Piece[]} */
  #pieces = [];

  /** @param {Piece} piece */
  add(piece) {
    this.#pieces.push(piece);
    if (this.#pieces.length > PIECES) this.#pieces.shift();
  }

  /**
   * Return when a sample was there, by `performance.now()`, or null if that is not known.
   *
   * @param {number} sample
   */
  atMs(sample) {
    const piece = this.#pieces.findLast(({ firstSample }) => firstSample <= sample);
    if (!piece || sample >= piece.firstSample + piece.count) return null;
    return piece.atMs + (piece.rate ? ((sample - piece.firstSample) / piece.rate) * 1000 : 0);
  }

  clear() {
    this.#pieces = [];
  }
}

/** How long it takes from a sound to its lips on the screen. */
export class Latency {
  #log;
  /** @type {number[]} */
  #recentMs = [];

  /** @param {SentLog} log Of the session's sound. */
  constructor(log) {
    this.#log = log;
  }

  /**
   * Take account of a picture that is shown now: of a microphone each one, from when its sample was captured; of a
   * recording the first one of its utterance, from when the last sample was sent that it needed.
   *
   * @param {SpeechPicture} picture
   * @param {{started: Started|null, sentSamples: number}} session
   * @param {boolean} isLive Whether a microphone is open.
   * @returns {number|null} The mean of the last second of a microphone, or of the last recordings; null if nothing is new.
   */
  add({ isSpeech, isFirst, sample }, { started, sentSamples }, isLive) {
    if (!isSpeech || !started || (!isLive && !isFirst)) return null;
    const ahead = isLive ? 0 : Math.round((started.look_ahead_ms / 1000) * started.sample_rate) - 1;
    const fromMs = this.#log.atMs(Math.min(sample + ahead, sentSamples - 1));
    if (fromMs === null) return null;
    this.#recentMs.push(performance.now() - fromMs);
    if (this.#recentMs.length > RECENT) this.#recentMs.shift();
    return this.#recentMs.reduce((sum, latencyMs) => sum + latencyMs, 0) / this.#recentMs.length;
  }

  /** Forget what was measured: something else is said. */
  restart() {
    this.#recentMs = [];
  }
}
