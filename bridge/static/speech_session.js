/** One live session at the bridge: sound goes out, pictures and events come in, and it comes back by itself. */

import { encodeControl, encodeStart, parseEvent, parsePicture, SUBPROTOCOL } from "./speech_protocol.js";
import { subprotocols } from "./token.js";

/** @import { Settings, Started } from "./speech_protocol.js" */

const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 8000;
const WATCHDOG_MS = 1000;
const SILENCE_MS = 10_000; // pictures come 25 a second: a bridge that says nothing for so long is gone
const PING_MS = 4000; // also tells the bridge that somebody still looks at a face that only listens
const HOPELESS_CODES = ["bad_request", "cannot_hear"]; // the same words would get the same answer

/**
 * @typedef {object} Away
 * @property {string} host
 * @property {number|null} retryInMs Null where another attempt has no sense.
 * @property {{code: string, error: string}|null} error The bridge's last error message.
 */

/**
 * A session that stays wanted from `open` to `close`.
 *
 * Events, each with its values as `detail`: `started`, with the bridge's message; `picture`, with a SpeechPicture of the
 * epoch that holds; `speaking`, `idle`, `ended`, `interrupted`, `error`, with the bridge's message; `away`, with
 * an `Away`, once per failed attempt.
 */
export class SpeechSession extends EventTarget {
  #url;
  /** @type {Settings|null} */
  #settings = null;
  /** @type {WebSocket|null} */
  #socket = null;
  /** @type {Started|null} */
  #started = null;
  #epoch = 0; // what is older is dropped
  #sentSamples = 0;
  #isBusy = false;
  #failures = 0;
  #retryTimer = 0;
  #heardMs = 0;
  #pingedMs = 0;
  /** @type {{code: string, error: string}|null} */
  #error = null;

  /** @param {URL} url Address of the WebSocket. */
  constructor(url) {
    super();
    this.#url = url;
    setInterval(() => this.#watch(), WATCHDOG_MS);
  }

  /** The bridge's answer to `start`, or null while there is no session. */
  get started() {
    return this.#started;
  }

  /** How many samples the session was sent: the number of the next one. */
  get sentSamples() {
    return this.#sentSamples;
  }

  /** Whether a session is there, or tried for. */
  get isWanted() {
    return this.#settings !== null;
  }

  /** Whether sound was sent whose pictures are not all there yet. */
  get isBusy() {
    return this.#isBusy;
  }

  /** Bytes that wait for the network. */
  get bufferedBytes() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** The epoch of the pictures that count now. */
  get epoch() {
    return this.#epoch;
  }

  /**
   * Begin a session, in place of any other.
   *
   * @param {Settings} settings
   */
  open(settings) {
    this.close();
    this.#settings = settings;
    this.#failures = 0;
    this.#connect(settings);
  }

  /** End the session, or give up wanting one. */
  close() {
    this.#settings = null;
    clearTimeout(this.#retryTimer);
    this.#leave();
  }

  /** Try again now, whether or not a later attempt is planned. */
  retry() {
    if (this.#settings && !this.#socket) this.#connect(this.#settings);
  }

  /**
   * Send sound of the current utterance.
   *
   * @param {Int16Array<ArrayBuffer>} pcm
   * @returns {boolean} Whether there was a session to send it to.
   */
  sendSound(pcm) {
    if (!this.#started) return false;
    this.#socket?.send(pcm);
    this.#sentSamples += pcm.length;
    this.#isBusy = true;
    return true;
  }

  /** The utterance is over. */
  end() {
    if (this.#started) this.#socket?.send(encodeControl("end"));
  }

  /** Forget all sound so far; from now on no picture of it comes out of the session any more. */
  interrupt() {
    if (!this.#started) return;
    this.#epoch += 1;
    this.#isBusy = false;
    this.#socket?.send(encodeControl("interrupt"));
  }

  /** @param {Settings} settings */
  #connect(settings) {
    clearTimeout(this.#retryTimer);
    const socket = new WebSocket(this.#url, subprotocols(SUBPROTOCOL));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(encodeStart(settings));
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = () => this.#lost();
    this.#socket = socket;
    this.#error = null;
    this.#heardMs = performance.now();
  }

  /** @param {ArrayBuffer|string} data */
  #receive(data) {
    this.#heardMs = performance.now();
    if (data instanceof ArrayBuffer) {
      const picture = parsePicture(data);
      if (picture && picture.epoch >= this.#epoch) this.#tell("picture", picture);
      return;
    }
    const event = parseEvent(data);
    if (event.type === "started") this.#begin(event);
    if (event.type === "error") this.#error = event;
    if (event.epoch < this.#epoch) return;
    if (event.type === "ended") this.#isBusy = false;
    this.#tell(event.type, event);
  }

  /** @param {Started} started */
  #begin(started) {
    this.#started = started;
    this.#epoch = started.epoch;
    this.#sentSamples = 0;
    this.#isBusy = false;
    this.#failures = 0;
  }

  #lost() {
    const [settings, error] = [this.#settings, this.#error];
    this.#leave();
    const isHopeless = error !== null && HOPELESS_CODES.includes(error.code);
    const retryInMs = isHopeless ? null : Math.min(FIRST_RETRY_MS * 2 ** this.#failures, MAX_RETRY_MS);
    this.#failures += 1;
    if (retryInMs !== null && settings) this.#retryTimer = setTimeout(() => this.#connect(settings), retryInMs);
    this.#tell("away", { host: this.#url.host, retryInMs, error });
  }

  /** Let the socket go, and whatever it may still say. */
  #leave() {
    const socket = this.#socket;
    this.#socket = this.#started = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** Give up a socket that is silent, for a peer that vanished without closing shows no other sign. */
  #watch() {
    if (!this.#socket) return;
    const nowMs = performance.now();
    if (nowMs - this.#heardMs > SILENCE_MS) return this.#lost();
    if (!this.#started || nowMs - this.#pingedMs < PING_MS) return;
    this.#pingedMs = nowMs;
    this.#socket.send(encodeControl("ping", { id: Math.round(nowMs) }));
  }

  /**
   * @param {string} type
   * @param {unknown} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
