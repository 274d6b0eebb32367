/** Puts a picture into the full frame that it belongs to. */

/** @import { Bounds } from "./picture.js" */

const EDGE_PIXELS = 5; // a network of convolutions sees less at its edge, and paints it worse: the full frame stays there

/**
 * Return where a picture lies in its full frame.
 *
 * The crop is the picture with `border` pixels more on each side, scaled to `bounds`; of it only the picture is replaced.
 *
 * @param {Bounds} bounds x1, y1, x2, y2 of the crop in the full frame, the last two exclusive.
 * @param {number} border Pixels, at the crop's native size.
 * @param {{width: number, height: number}} size Of the picture, in pixels.
 * @returns {[x: number, y: number, width: number, height: number]} x, y, width and height, which need not be whole numbers.
 */
export function placeOf([x1, y1, x2, y2], border, { width, height }) {
  const scaleX = (x2 - x1) / (width + 2 * border);
  const scaleY = (y2 - y1) / (height + 2 * border);
  return [x1 + border * scaleX, y1 + border * scaleY, width * scaleX, height * scaleY];
}

/**
 * Draw a picture in its full frame over the whole canvas, which takes the frame's size.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {ImageBitmap|null} fullFrame Null where there is none: then the picture alone is drawn.
 * @param {ImageBitmap} patch
 * @param {{bounds: Bounds, border: number}} place
 */
export function drawPatch(canvas, fullFrame, patch, { bounds, border }) {
  const { width, height } = fullFrame ?? patch;
  if (canvas.width !== width) canvas.width = width; // setting a size also clears: only on change
  if (canvas.height !== height) canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingQuality = "high";
  context.drawImage(fullFrame ?? patch, 0, 0);
  if (!fullFrame) return;
  const inner = { width: patch.width - 2 * EDGE_PIXELS, height: patch.height - 2 * EDGE_PIXELS };
  const place = placeOf(bounds, border + EDGE_PIXELS, inner);
  context.drawImage(patch, EDGE_PIXELS, EDGE_PIXELS, inner.width, inner.height, ...place);
}
