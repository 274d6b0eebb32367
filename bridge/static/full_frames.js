/** The full frames of a clip: fetched once, kept as JPEG, and decoded shortly before they are drawn. */

import { fetchWithToken } from "./token.js";

const MAX_BITMAP_BYTES = 96_000_000;
const MIN_BITMAPS = 24; // as many as are wanted at once, however large they are
const MAX_JPEG_BYTES = 128_000_000;
const MAX_FETCHES = 6; // a browser opens no more connections to one host
const RETRY_MS = 1000;
const BYTES_PER_PIXEL = 4;

/** What one avatar's pictures are put into. */
export class FullFrames {
  #avatar = "";
  /** @type {Map<number, Blob>} */
  #jpegs = new Map(); // by frame id, oldest first
  #jpegBytes = 0;
  /** @type {Map<number, ImageBitmap>} */
  #bitmaps = new Map(); // by frame id, least recently used first
  #bitmapBytes = 0;
  /** @type {number[]} */
  #wanted = [];
  /** @type {Set<number>} */
  #loading = new Set();
  /** @type {Map<number, number>} */
  #failedMs = new Map();
  #isMissing = false;

  /** Whether the avatar has no full frames, as far as one knows. */
  get isMissing() {
    return this.#isMissing && this.#jpegs.size === 0;
  }

  /** How many decoded frames are kept. */
  get size() {
    return this.#bitmaps.size;
  }

  /**
   * Take another avatar's clip; what was kept of the one before is let go.
   *
   * @param {string} avatar
   */
  setAvatar(avatar) {
    if (avatar === this.#avatar) return;
    this.#avatar = avatar;
    for (const bitmap of this.#bitmaps.values()) bitmap.close();
    for (const kept of [this.#jpegs, this.#bitmaps, this.#failedMs, this.#loading]) kept.clear();
    this.#jpegBytes = this.#bitmapBytes = 0;
    this.#wanted = [];
    this.#isMissing = false;
  }

  /**
   * @param {number} frameId
   * @returns {ImageBitmap|null} Null while it is not there; it stays this object's.
   */
  get(frameId) {
    const bitmap = this.#bitmaps.get(frameId);
    if (!bitmap) return null;
    this.#bitmaps.delete(frameId);
    this.#bitmaps.set(frameId, bitmap);
    return bitmap;
  }

  /**
   * Say which frames are drawn next, the most urgent first; what was wanted before and is not among them is let be.
   *
   * @param {number[]} frameIds
   */
  want(frameIds) {
    const nowMs = performance.now();
    this.#wanted = frameIds.filter((frameId) => {
      const failedMs = this.#failedMs.get(frameId) ?? -Infinity;
      return !this.#bitmaps.has(frameId) && !this.#loading.has(frameId) && nowMs - failedMs > RETRY_MS;
    });
    this.#loadNext();
  }

  #loadNext() {
    const free = Math.max(MAX_FETCHES - this.#loading.size, 0);
    for (const frameId of this.#wanted.splice(0, free)) this.#load(frameId);
  }

  /** @param {number} frameId */
  async #load(frameId) {
    const avatar = this.#avatar;
    this.#loading.add(frameId);
    try {
      const jpeg = this.#jpegs.get(frameId) ?? (await fetchFrame(avatar, frameId));
      const bitmap = await createImageBitmap(jpeg);
      if (avatar !== this.#avatar) return bitmap.close();
      this.#keepJpeg(frameId, jpeg);
      this.#keepBitmap(frameId, bitmap);
    } catch (error) {
      console.debug(`Full frame ${frameId} of ${avatar} did not come: ${error.message}`);
      if (avatar !== this.#avatar) return;
      this.#failedMs.set(frameId, performance.now());
      this.#isMissing ||= error.status === 404;
    } finally {
      if (avatar === this.#avatar) this.#loading.delete(frameId);
      this.#loadNext();
    }
  }

  /**
   * @param {number} frameId
   * @param {Blob} jpeg
   */
  #keepJpeg(frameId, jpeg) {
    if (this.#jpegs.has(frameId)) return;
    this.#jpegs.set(frameId, jpeg);
    this.#jpegBytes += jpeg.size;
    for (const [oldest, { size }] of this.#jpegs) {
      if (this.#jpegBytes <= MAX_JPEG_BYTES) return;
      this.#jpegs.delete(oldest);
      this.#jpegBytes -= size;
    }
  }

  /**
   * @param {number} frameId
   * @param {ImageBitmap} bitmap
   */
  #keepBitmap(frameId, bitmap) {
    this.#bitmaps.set(frameId, bitmap);
    this.#bitmapBytes += bytesOf(bitmap);
    for (const [oldest, old] of this.#bitmaps) {
      if (this.#bitmapBytes <= MAX_BITMAP_BYTES || this.#bitmaps.size <= MIN_BITMAPS) return;
      this.#bitmaps.delete(oldest);
      this.#bitmapBytes -= bytesOf(old);
      old.close();
    }
  }
}

/**
 * @param {string} avatar
 * @param {number} frameId
 */
async function fetchFrame(avatar, frameId) {
  const answer = await fetchWithToken(`full_frames/${encodeURIComponent(avatar)}/${frameId}.jpg`);
  if (!answer.ok) throw Object.assign(new Error(`expected a picture, got ${answer.status}`), { status: answer.status });
  return answer.blob();
}

/** @param {ImageBitmap} bitmap */
function bytesOf({ width, height }) {
  return width * height * BYTES_PER_PIXEL;
}

/**
 * Return the frames that follow in a clip that runs forth and back.
 *
 * @param {number} frameId The one that is shown.
 * @param {number} step 1 forth, -1 back.
 * @param {number} frameCount Of the clip.
 * @param {number} count How many to return.
 * @returns {number[]}
 */
export function framesAfter(frameId, step, frameCount, count) {
  const frameIds = [];
  for (let i = 0; i < count && frameCount > 1; i += 1) {
    if (frameId + step < 0 || frameId + step >= frameCount) step = -step;
    frameId += step;
    frameIds.push(frameId);
  }
  return frameIds;
}
