/** What a sound file says: sent in bursts, never much further ahead than its pictures come or its time goes on. */

import { toPcm } from "./speech_protocol.js";

/** @import { SentLog } from "./sent_log.js" */
/** @import { SpeechSession } from "./speech_session.js" */
/** @import { Started } from "./speech_protocol.js" */

const PIECE_S = 0.5;
const AHEAD_S = 1; // beyond the bridge's own lead, so that it never waits for the network

/** One utterance, on its way to the bridge. */
export class Recording {
  #session;
  #log;
  #samples;
  #sent = 0;
  #startMs = performance.now();
  #isEnded = false;

  /**
   * @param {AudioBuffer} buffer Mono, at the session's rate.
   * @param {SpeechSession} session One that has started.
   * @param {SentLog} log Where it is noted what was sent when.
   */
  constructor(buffer, session, log) {
    this.buffer = buffer;
    this.firstSample = session.sentSamples;
    this.#session = session;
    this.#log = log;
    this.#samples = buffer.getChannelData(0);
  }

  /** The session's sample after its last. */
  get endSample() {
    return this.firstSample + this.#samples.length;
  }

  /** Whether all of it was sent. */
  get isSent() {
    return this.#isEnded;
  }

  /**
   * Send what may be sent by now; needs a session that has started.
   *
   * @param {number} picturedSample The session's sample up to which pictures came.
   */
  pump(picturedSample) {
    const { sample_rate: rate, lead_ms: leadMs, held_ms: heldMs } = /** @type {Started} */ (this.#session.started);
    const aheadS = Math.min(leadMs / 1000 + AHEAD_S, heldMs / 2000);
    // where Triton leaves all pictures out, time goes on without them
    const spoken = ((performance.now() - this.#startMs) / 1000) * rate;
    const passed = Math.max(picturedSample - this.firstSample, spoken);
    while (this.#sent < this.#samples.length && this.#sent - passed < aheadS * rate) {
      const piece = this.#samples.subarray(this.#sent, this.#sent + Math.round(PIECE_S * rate));
      this.#log.add({ firstSample: this.firstSample + this.#sent, count: piece.length, atMs: performance.now() });
      this.#session.sendSound(toPcm(piece));
      this.#sent += piece.length;
    }
    if (this.#sent < this.#samples.length || this.#isEnded) return;
    this.#isEnded = true;
    this.#session.end();
  }
}

/**
 * Mix a sound down to mono.
 *
 * @param {AudioBuffer} buffer
 * @returns {AudioBuffer}
 */
export function toMono(buffer) {
  if (buffer.numberOfChannels === 1) return buffer;
  const { length, sampleRate, numberOfChannels } = buffer;
  const mono = new AudioBuffer({ length, sampleRate, numberOfChannels: 1 });
  const mixed = mono.getChannelData(0);
  for (let channel = 0; channel < numberOfChannels; channel += 1) {
    const samples = buffer.getChannelData(channel);
    for (let i = 0; i < length; i += 1) mixed[i] += samples[i] / numberOfChannels;
  }
  return mono;
}
