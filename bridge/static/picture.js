/** From JPEG bytes to something a canvas can draw. */

import { paste } from "./paste.js";

/**
 * @typedef {Uint8Array<ArrayBuffer>} Bytes
 * @typedef {VideoFrame|ImageBitmap} Decoded
 * @typedef {[x1: number, y1: number, x2: number, y2: number]} Bounds In pixels of the full frame.
 * @typedef {{bounds: Bounds, faceSize: number}} Place Of a crop; `faceSize` is that of what the network paints, in pixels.
 */

/** @type {Place} */
const NOWHERE = { bounds: [0, 0, 0, 0], faceSize: 1 };

/**
 * Name the decoder that this browser gives the page.
 *
 * ImageDecoder (WebCodecs) decodes off the main thread, but exists only where the page is a secure context:
 * localhost or HTTPS. Elsewhere createImageBitmap does the work.
 *
 * @returns {Promise<"ImageDecoder"|"createImageBitmap">}
 */
export async function chooseDecoder() {
  const usable = "ImageDecoder" in globalThis && (await ImageDecoder.isTypeSupported("image/jpeg"));
  return usable ? "ImageDecoder" : "createImageBitmap";
}

/**
 * Decode one JPEG.
 *
 * @param {Bytes} jpeg
 * @param {string} decoderName As `chooseDecoder` names it.
 * @returns {Promise<Decoded>} To be closed by its owner.
 * @throws {Error} If the bytes are no picture.
 */
async function decodeJpeg(jpeg, decoderName) {
  const type = "image/jpeg";
  try {
    if (decoderName !== "ImageDecoder") return await createImageBitmap(new Blob([jpeg], { type }));
    const decoder = new ImageDecoder({ data: jpeg, type });
    try {
      return (await decoder.decode()).image;
    } finally {
      decoder.close();
    }
  } catch (cause) {
    throw new Error(`expected a JPEG, got ${jpeg.length} bytes that do not decode`, { cause });
  }
}

/** One decoded frame: the crop, and behind it the source picture when that was asked for. */
export class Picture {
  #crop;
  #fullFrame;
  #place;

  /**
   * Use `Picture.decode`.
   *
   * @param {Bytes} jpeg
   * @param {number} byteCount
   * @param {Decoded} crop
   * @param {Decoded|null} fullFrame
   * @param {Place} place
   */
  constructor(jpeg, byteCount, crop, fullFrame, place) {
    this.jpeg = jpeg;
    this.byteCount = byteCount; // of all its parts, as JPEG
    this.#crop = crop;
    this.#fullFrame = fullFrame;
    this.#place = place;
  }

  /**
   * Decode a frame's parts.
   *
   * @param {string} decoderName As `chooseDecoder` names it.
   * @param {{jpeg: Bytes, fullFrameJpeg?: Bytes, place?: Place}} parts
   *     `place` is that of the crop, and belongs to a full frame.
   * @throws {Error} If a part is no picture.
   */
  static async decode(decoderName, { jpeg, fullFrameJpeg, place = NOWHERE }) {
    const crop = await decodeJpeg(jpeg, decoderName);
    if (!fullFrameJpeg) return new Picture(jpeg, jpeg.length, crop, null, place);
    try {
      const fullFrame = await decodeJpeg(fullFrameJpeg, decoderName);
      return new Picture(jpeg, jpeg.length + fullFrameJpeg.length, crop, fullFrame, place);
    } catch (error) {
      crop.close();
      throw error;
    }
  }

  get width() {
    return widthOf(this.#fullFrame ?? this.#crop);
  }

  get height() {
    return heightOf(this.#fullFrame ?? this.#crop);
  }

  /**
   * Draw the picture over the whole canvas, which takes the picture's size.
   *
   * @param {HTMLCanvasElement} canvas
   */
  draw(canvas) {
    if (canvas.width !== this.width) canvas.width = this.width; // setting a size also clears: only on change
    if (canvas.height !== this.height) canvas.height = this.height;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.imageSmoothingQuality = "high";
    context.drawImage(this.#fullFrame ?? this.#crop, 0, 0);
    if (this.#fullFrame) paste(context, this.#crop, widthOf(this.#crop), this.#place);
  }

  close() {
    this.#crop.close();
    this.#fullFrame?.close();
  }
}

/** @param {Decoded} image */
function widthOf(image) {
  return "displayWidth" in image ? image.displayWidth : image.width;
}

/** @param {Decoded} image */
function heightOf(image) {
  return "displayHeight" in image ? image.displayHeight : image.height;
}
