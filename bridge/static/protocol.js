/** The bridge's WebSocket messages: bytes in, values out. Nothing here knows a socket. */

const MAX_NAME_BYTES = 255;
const FRAME_ID_BYTES = 4;

/**
 * What the bridge answers to the JSON requests; its other fields are not read here.
 *
 * @typedef {{prediction_data: string, bounds: [number, number, number, number]}} InferenceAnswer
 * @typedef {{frame_data: string}} FullFrameAnswer
 */

/**
 * @typedef {object} ErrorAnswer
 * @property {string} code
 * @property {string} error
 * @property {string|null} [model_name]
 * @property {number|null} [frame_id]
 * @property {string|null} [request_id]
 */

/** An error message of the bridge, as the request's answer. */
export class ProtocolError extends Error {
  /** @param {ErrorAnswer} answer */
  constructor({ code, error, model_name: modelName = null, frame_id: frameId = null, request_id: requestId = null }) {
    super(`${code}: ${error}`);
    this.name = "ProtocolError";
    this.code = code;
    this.modelName = modelName;
    this.frameId = frameId;
    this.requestId = requestId;
  }
}

/**
 * Encode the request for one picture: name length (1 byte), name (UTF-8), frame id (4 bytes, little endian).
 *
 * @param {string} modelName
 * @param {number} frameId
 * @returns {Uint8Array<ArrayBuffer>}
 * @throws {RangeError} If the name does not fit its length byte.
 */
export function encodeFrameRequest(modelName, frameId) {
  const name = new TextEncoder().encode(modelName);
  if (name.length < 1 || name.length > MAX_NAME_BYTES) {
    throw new RangeError(`model name: expected 1 to ${MAX_NAME_BYTES} bytes, got ${name.length}`);
  }
  const message = new Uint8Array(1 + name.length + FRAME_ID_BYTES);
  message[0] = name.length;
  message.set(name, 1);
  new DataView(message.buffer).setUint32(1 + name.length, frameId, true);
  return message;
}

/**
 * Encode the JSON request that answers picture and bounds together.
 *
 * @param {string} modelName
 * @param {number} frameId
 */
export function encodeInferenceRequest(modelName, frameId) {
  return JSON.stringify({ type: "inference", model_name: modelName, frame_id: frameId });
}

/**
 * Encode the JSON request for the source picture that a frame was cut from.
 *
 * @param {string} modelName
 * @param {number} frameId
 */
export function encodeFullFrameRequest(modelName, frameId) {
  return JSON.stringify({
    type: "get_video_frame",
    model_name: modelName,
    frame_id: frameId,
    video_type: "full_body",
  });
}

/**
 * Decode one message of the bridge.
 *
 * @param {ArrayBuffer|string} data
 * @returns {Uint8Array<ArrayBuffer>|object} The JPEG of a binary answer, or the object of a JSON one.
 * @throws {ProtocolError} If the message is an error.
 */
export function decodeAnswer(data) {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  const answer = JSON.parse(data);
  if (answer.type === "error") throw new ProtocolError(answer);
  return answer;
}

/**
 * Decode the base64 of a JSON answer.
 *
 * @param {string} text
 */
export function decodeBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
