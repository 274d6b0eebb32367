/** Where and how a crop lies in its full frame. */

const BORDER_PIXELS = 4; // of a crop of the network's size: it sees the crop without this border, and so answers

const EDGE = 1 / 64; // of the crop's side: there a convolution sees past the picture's end, and paints a line
const FADE = 1 / 12; // from there on the crop is ever more opaque, so that no seam shows

/**
 * Draw a crop over the full frame that the context holds.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {import("./picture.js").Decoded} crop
 * @param {number} side Width and height of the crop, in its own pixels.
 * @param {import("./picture.js").Place} place Of the crop in the full frame.
 */
export function paste(context, crop, side, place) {
  context.drawImage(withSoftEdges(crop, side), ...withoutBorder(place));
}

/**
 * Return x, y, width and height of the part of the crop that the network answers.
 *
 * @param {import("./picture.js").Place} place
 * @returns {[x: number, y: number, width: number, height: number]}
 */
function withoutBorder({ bounds: [x1, y1, x2, y2], faceSize }) {
  const border = BORDER_PIXELS / (faceSize + 2 * BORDER_PIXELS);
  const [width, height] = [x2 - x1, y2 - y1];
  return [x1 + width * border, y1 + height * border, width * (1 - 2 * border), height * (1 - 2 * border)];
}

// one for all pictures: it is drawn on at once
const soft = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));

/**
 * @param {import("./picture.js").Decoded} crop
 * @param {number} side
 */
function withSoftEdges(crop, side) {
  const { canvas } = soft;
  canvas.width = canvas.height = side; // which clears it, too
  soft.drawImage(crop, 0, 0);
  soft.globalCompositeOperation = "destination-in";
  for (const [endX, endY] of [[side, 0], [0, side]]) {
    soft.fillStyle = opaqueInside(soft.createLinearGradient(0, 0, endX, endY));
    soft.fillRect(0, 0, side, side);
  }
  return canvas;
}

/** @param {CanvasGradient} gradient */
function opaqueInside(gradient) {
  for (const [offset, alpha] of [[EDGE, 0], [EDGE + FADE, 1]]) {
    gradient.addColorStop(offset, `rgb(0 0 0 / ${alpha})`);
    gradient.addColorStop(1 - offset, `rgb(0 0 0 / ${alpha})`);
  }
  return gradient;
}
