/** The protocol `lipsync.speech.v1`: bytes and text in, values out. Nothing here knows a socket. */

/** @import { Bounds } from "./picture.js" */

export const SUBPROTOCOL = "lipsync.speech.v1";

const VERSION = 1;
const KIND_PICTURE = 1;
const HEADER_BYTES = 48;
const FLAG = { speech: 1, first: 2, last: 4, silent: 8 };
const FULL_SCALE = 32_767;

/**
 * One picture of the talking face.
 *
 * @typedef {object} SpeechPicture
 * @property {boolean} isSpeech Sound belongs to it.
 * @property {boolean} isFirst It is the first of its utterance.
 * @property {boolean} isLast It is the last of its utterance.
 * @property {boolean} isSilent Its mouth is shut.
 * @property {number} epoch Counts interruptions.
 * @property {number} number Which picture of the session, 25 a second from its start.
 * @property {number} frameId Which frame of the clip it is made of.
 * @property {number} sample The session's sample that sounds when it is shown; -1 for a silent one.
 * @property {Bounds} bounds x1, y1, x2, y2 of the crop in the full frame, in pixels.
 * @property {number} border Pixels of the crop around the picture, at the crop's native size.
 * @property {Uint8Array<ArrayBuffer>} jpeg
 */

/**
 * What the bridge answers to `start`; times in milliseconds.
 *
 * @typedef {object} Started
 * @property {string} avatar
 * @property {number} epoch
 * @property {number} fps
 * @property {number} frame_count Of the clip.
 * @property {number} sample_rate
 * @property {number} samples_per_frame
 * @property {number} lead_ms How far ahead of their pictures the bridge takes sound at once.
 * @property {number} held_ms How much sound the bridge holds at most.
 * @property {number} look_ahead_ms How much sound after a picture its mouth depends on.
 */

/** @typedef {{avatar: string, sampleRate: number, lowLatency: boolean}} Settings */

/**
 * Read a binary message.
 *
 * @param {ArrayBuffer} data
 * @returns {SpeechPicture|null} Null for a kind that this page does not know.
 * @throws {Error} If it is too short, or of another version.
 */
export function parsePicture(data) {
  if (data.byteLength < HEADER_BYTES) {
    throw new Error(`picture: expected a header of ${HEADER_BYTES} bytes, got ${data.byteLength}`);
  }
  const view = new DataView(data);
  const version = view.getUint8(0);
  if (version !== VERSION) throw new Error(`picture: expected version ${VERSION}, got ${version}`);
  if (view.getUint8(1) !== KIND_PICTURE) return null;
  const flags = view.getUint16(2, true);
  return {
    isSpeech: (flags & FLAG.speech) !== 0,
    isFirst: (flags & FLAG.first) !== 0,
    isLast: (flags & FLAG.last) !== 0,
    isSilent: (flags & FLAG.silent) !== 0,
    epoch: view.getUint32(4, true),
    number: view.getUint32(8, true),
    frameId: view.getUint32(12, true),
    sample: Number(view.getBigInt64(16, true)),
    bounds: /** @type {Bounds} */ ([24, 28, 32, 36].map((offset) => view.getInt32(offset, true))),
    border: view.getInt32(40, true),
    jpeg: new Uint8Array(data, HEADER_BYTES),
  };
}

/**
 * Read a text message.
 *
 * @param {string} text
 * @returns {any} An object whose other fields depend on its `type`.
 * @throws {Error} If it is no JSON object with a type.
 */
export function parseEvent(text) {
  const event = JSON.parse(text);
  if (typeof event?.type !== "string") throw new Error(`event: expected an object with a type, got ${text}`);
  return event;
}

/**
 * Encode the first message of a session.
 *
 * @param {Settings} settings
 * @returns {string}
 */
export function encodeStart({ avatar, sampleRate, lowLatency }) {
  const fields = { avatar, sample_rate: sampleRate, format: "s16le", low_latency: lowLatency };
  return JSON.stringify({ type: "start", ...fields });
}

/**
 * Encode any other message to the bridge.
 *
 * @param {"end"|"interrupt"|"ping"} type
 * @param {object} fields
 * @returns {string}
 */
export function encodeControl(type, fields = {}) {
  return JSON.stringify({ type, ...fields });
}

/**
 * Convert sound to signed 16 bits, little endian, as every machine that runs a browser stores it.
 *
 * @param {Float32Array} samples -1 to 1; what lies beyond is clipped.
 * @returns {Int16Array<ArrayBuffer>}
 */
export function toPcm(samples) {
  return Int16Array.from(samples, (value) => Math.round(Math.min(Math.max(value, -1), 1) * FULL_SCALE));
}
