/** One WebSocket to the bridge: pipelined requests, answers in order, reconnecting by itself. */

import { decodeAnswer } from "./protocol.js";
import { subprotocols } from "./token.js";

const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 8000;
const WATCHDOG_MS = 1000;
const SUBPROTOCOL = "lipsync.frames.v1";
const IDLE = "idle"; // the bridge lets go of who asks for nothing for long
const REQUEST_ID_KEY = "request_id"; // a browser cannot set headers of a WebSocket

/** Raised for a request whose answer was lost with the connection. */
export class ConnectionLost extends Error {
  /** @param {string} host */
  constructor(host) {
    super(`the connection to the bridge at ${host} was lost`);
    this.name = "ConnectionLost";
  }
}

/** @typedef {{host: string, retryInMs: number, reason: string}} Away */

/**
 * @typedef {object} Waiting
 * @property {(answer: any) => void} resolve
 * @property {(error: unknown) => void} reject
 * @property {number} sentAt
 */

/**
 * A connection that stays wanted until the page goes.
 *
 * Events: `open`; `away`, with an `Away` as detail, once per failed attempt.
 */
export class Connection extends EventTarget {
  #url;
  #answerLimitMs;
  /** @type {WebSocket|null} */
  #socket = null;
  /** @type {Waiting[]} */
  #waiting = [];
  #failures = 0;
  #retryTimer = 0;
  #connectingSince = 0;

  /**
   * @param {URL} url Address of the WebSocket.
   * @param {number} answerLimitMs Longest wait for an answer, or for the connection itself.
   */
  constructor(url, answerLimitMs = 15_000) {
    super();
    this.#url = url;
    this.#answerLimitMs = answerLimitMs;
    setInterval(() => this.#watch(), WATCHDOG_MS);
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Connect now, whether or not a later attempt is planned. */
  connect() {
    if (this.#socket) return;
    clearTimeout(this.#retryTimer);
    this.#url.searchParams.set(REQUEST_ID_KEY, newRequestId());
    const socket = new WebSocket(this.#url, subprotocols(SUBPROTOCOL));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened();
    socket.onmessage = ({ data }) => this.#answered(data);
    socket.onclose = ({ reason }) => this.#lost(reason);
    this.#socket = socket;
    this.#connectingSince = performance.now();
  }

  /**
   * Send one message and wait for its answer.
   *
   * @param {Uint8Array<ArrayBuffer>|string} message
   * @returns {Promise<any>} The answer, as `decodeAnswer` returns it; what it is depends on the message.
   * @throws {ProtocolError} If the bridge answers with an error.
   * @throws {ConnectionLost} If there is no connection, or it ends before the answer.
   */
  request(message) {
    if (!this.#socket || !this.isOpen) return Promise.reject(new ConnectionLost(this.#url.host));
    this.#socket.send(message);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject, sentAt: performance.now() });
    });
  }

  #opened() {
    this.#failures = 0;
    this.dispatchEvent(new Event("open"));
  }

  /** @param {ArrayBuffer|string} data */
  #answered(data) {
    const request = this.#waiting.shift(); // the bridge answers in request order
    if (!request) return;
    try {
      request.resolve(decodeAnswer(data));
    } catch (error) {
      request.reject(error);
    }
  }

  /** @param {string} reason */
  #lost(reason) {
    this.#socket = null;
    for (const request of this.#waiting.splice(0)) request.reject(new ConnectionLost(this.#url.host));
    if (reason === IDLE) {
      this.connect();
      return;
    }
    const retryInMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, MAX_RETRY_MS);
    this.#failures += 1;
    this.#retryTimer = setTimeout(() => this.connect(), retryInMs);
    this.dispatchEvent(
      new CustomEvent("away", { detail: { host: this.#url.host, retryInMs, reason } }),
    );
  }

  /** Give up a socket that is silent, for a peer that vanished without closing shows no other sign. */
  #watch() {
    if (!this.#socket) return;
    const since = this.isOpen ? this.#waiting[0]?.sentAt : this.#connectingSince;
    if (since === undefined || performance.now() - since < this.#answerLimitMs) return;
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null; // closing may take as long as it likes
    socket.close();
    this.#lost("no answer");
  }
}

/** Make the id that the bridge's and Triton's logs show; `crypto.randomUUID` needs HTTPS. */
function newRequestId() {
  const words = crypto.getRandomValues(new Uint32Array(2));
  return Array.from(words, (word) => word.toString(16).padStart(8, "0")).join("");
}
