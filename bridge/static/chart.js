/** A line of frames per second over the last seconds, against the target. */

const HISTORY_S = 40;
const TICK_STEP_FPS = 10;
const MIN_TOP_FPS = 40;
const MARGIN = { left: 26, right: 6, top: 8, bottom: 18 };

/**
 * Where a chart's values lie on its canvas, in pixels.
 *
 * @typedef {object} Plot
 * @property {number} top The highest value.
 * @property {number} right
 * @property {number} bottom
 * @property {(timeS: number) => number} x
 * @property {(fps: number) => number} y
 */

/** @typedef {[x: number, y: number]} Point */

/** Draws on one canvas, in the colours that the style sheet gives it as custom properties. */
export class FpsChart {
  #canvas;
  #targetFps;
  /** @type {{timeS: number, fps: number}[]} */
  #samples = [];

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} targetFps
   */
  constructor(canvas, targetFps) {
    this.#canvas = canvas;
    this.#targetFps = targetFps;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /**
   * Add one sample and draw.
   *
   * @param {number} timeS Seconds of playback; what lies more than 40 s back is forgotten.
   * @param {number} fps
   */
  add(timeS, fps) {
    this.#samples.push({ timeS, fps });
    while (this.#samples[0].timeS < timeS - HISTORY_S) this.#samples.shift();
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = devicePixelRatio;
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    const context = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d"));
    context.scale(scale, scale);
    const plot = this.#layOut(width, height);
    this.#drawGrid(context, plot);
    this.#drawTarget(context, plot);
    this.#drawSamples(context, plot);
  }

  /**
   * Return the plot's edges in pixels, its highest value, and functions from values to pixels.
   *
   * @param {number} width
   * @param {number} height
   * @returns {Plot}
   */
  #layOut(width, height) {
    const highest = Math.max(MIN_TOP_FPS, ...this.#samples.map(({ fps }) => fps * 1.1));
    const top = Math.ceil(highest / TICK_STEP_FPS) * TICK_STEP_FPS;
    const latestS = this.#samples.at(-1)?.timeS ?? 0;
    const [right, bottom] = [width - MARGIN.right, height - MARGIN.bottom];
    return {
      top,
      right,
      bottom,
      x: (timeS) => right - ((latestS - timeS) / HISTORY_S) * (right - MARGIN.left),
      y: (fps) => bottom - (fps / top) * (bottom - MARGIN.top),
    };
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Plot} plot
   */
  #drawGrid(context, { top, right, bottom, y }) {
    context.strokeStyle = this.#colour("--line");
    context.fillStyle = this.#colour("--muted");
    context.font = `11px ${getComputedStyle(this.#canvas).fontFamily}`;
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.lineWidth = 1;
    const step = top > 60 ? 2 * TICK_STEP_FPS : TICK_STEP_FPS;
    for (let fps = 0; fps <= top; fps += step) {
      strokeLine(context, [[MARGIN.left, Math.round(y(fps)) + 0.5], [right, Math.round(y(fps)) + 0.5]]);
      context.fillText(String(fps), MARGIN.left - 6, y(fps));
    }
    context.textBaseline = "alphabetic";
    context.fillText("now", right, bottom + 14);
    context.textAlign = "left";
    context.fillText(`${HISTORY_S} s ago`, MARGIN.left, bottom + 14);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Plot} plot
   */
  #drawTarget(context, { right, y }) {
    context.strokeStyle = this.#colour("--target");
    context.lineWidth = 2;
    strokeLine(context, [[MARGIN.left, y(this.#targetFps)], [right, y(this.#targetFps)]]);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Plot} plot
   */
  #drawSamples(context, { bottom, x, y }) {
    if (this.#samples.length < 2) return;
    const points = this.#samples.map(({ timeS, fps }) => /** @type {Point} */ ([x(timeS), y(fps)]));
    context.fillStyle = this.#colour("--current-soft");
    context.beginPath();
    context.moveTo(points[0][0], bottom);
    for (const point of points) context.lineTo(...point);
    context.lineTo(points[points.length - 1][0], bottom);
    context.fill();
    context.strokeStyle = this.#colour("--current");
    context.lineWidth = 2.5;
    context.lineJoin = "round";
    context.lineCap = "round";
    strokeLine(context, points);
  }

  /** @param {string} property */
  #colour(property) {
    return getComputedStyle(this.#canvas).getPropertyValue(property);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Point[]} points
 */
function strokeLine(context, [first, ...others]) {
  context.beginPath();
  context.moveTo(...first);
  for (const point of others) context.lineTo(...point);
  context.stroke();
}
