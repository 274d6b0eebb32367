/** Shows frames on a schedule: asks ahead of time, drops what comes too late. */

import { Pace } from "./pace.js";

/** @import { Picture } from "./picture.js" */
/** @import { Sound } from "./sound.js" */

const AHEAD_MS = 150; // how long decoded pictures wait: enough for jitter, little to throw away
const SLACK_MS = 8; // half a repaint: a picture due between two repaints belongs to the nearer one
const STALL_MS = 1000; // a longer gap between repaints is a sleeping device, not dropped frames
const STARVED_MS = 400; // without a new picture for so long, sound would run ahead of a face that stands still
const QUIET_MS = 1000; // at least so long it is silent then: no stutter

/**
 * An avatar, as `/models` lists it.
 *
 * @typedef {{name: string, fps: number, frame_count: number, face_size: number}} Model
 */

/**
 * @typedef {object} Handlers
 * @property {(picture: Picture, frameId: number) => void} onPicture Owns the picture from then on.
 * @property {(error: any) => void} onFault
 * @property {() => void} onChange Called when any of the player's properties changed.
 */

/**
 * One stretch of uninterrupted playback; frame n of it is the model's frame `firstFrame + n`.
 *
 * @typedef {object} Run
 * @property {Model} model
 * @property {number} firstFrame
 * @property {number} startMs
 * @property {number} intervalMs
 * @property {boolean} isSounding
 * @property {number} quietUntilMs From the start.
 * @property {number} next The n to be asked for next.
 * @property {number} last The n that was shown last, -1 before the first.
 * @property {number} tickedMs
 * @property {Map<number, Picture>} ready Decoded pictures by their n.
 */

/**
 * A player of one model at a time.
 *
 * A run is one stretch of uninterrupted playback: its frames are numbered 0, 1, 2…; frame n is due n intervals
 * after its start, and keeps its place until the next one is due. What belongs to an ended run is let go. At the
 * model's own rate sound joins the run, and its clock leads as long as it is heard.
 */
export class Player {
  #fetchPicture;
  #sound;
  #handlers;
  /** @type {Model|null} */
  #model = null;
  #fps = 25;
  #isConnected = false;
  #isPlaying = false;
  /** @type {Run|null} */
  #run = null;
  #inFlight = 0;
  /** @type {{wanted: number|null, isBusy: boolean}} */
  #still = { wanted: null, isBusy: false };
  #position = 0;
  /** @type {number|null} */
  #pictured = null; // the frame on the screen

  /**
   * @param {(modelName: string, frameId: number) => Promise<Picture>} fetchPicture Resolves once decoded.
   * @param {Sound} sound Of the model that is played.
   * @param {Handlers} handlers
   */
  constructor(fetchPicture, sound, handlers) {
    this.#fetchPicture = fetchPicture;
    this.#sound = sound;
    this.#handlers = handlers;
    this.pace = new Pace();
    this.shown = 0;
    this.dropped = 0;
  }

  get isPlaying() {
    return this.#isPlaying;
  }

  /** The frame that is shown, or that is on its way. */
  get position() {
    return this.#position;
  }

  get inFlight() {
    return this.#inFlight;
  }

  get fps() {
    return this.#fps;
  }

  /** Whether the rate is the model's own: sound is heard at no other. */
  get isOwnRate() {
    return this.#fps === (this.#model?.fps ?? this.#fps);
  }

  /**
   * Take another model, or null for none; playing goes on with it.
   *
   * @param {Model|null} model
   */
  setModel(model) {
    const isOther = model?.name !== this.#model?.name;
    this.#model = model;
    if (isOther) {
      this.pace = new Pace();
      this.#pictured = null;
    }
    if (model && this.#position >= model.frame_count) this.#position = 0;
    this.#begin();
  }

  /** @param {number} fps */
  setFps(fps) {
    if (fps === this.#fps) return;
    this.#fps = fps;
    if (this.#run) this.#begin();
  }

  /**
   * Tell the player whether pictures can be had and seen; it waits while they cannot.
   *
   * @param {boolean} isConnected
   */
  setConnected(isConnected) {
    this.#isConnected = isConnected;
    this.#begin();
  }

  play() {
    this.#isPlaying = true;
    this.pace.restart();
    this.#begin();
  }

  pause() {
    this.#isPlaying = false;
    this.#begin();
  }

  /**
   * Go to a frame, wrapping at both ends, and play on from there if playing.
   *
   * @param {number} frameId
   */
  seek(frameId) {
    if (!this.#model) return;
    const count = this.#model.frame_count;
    this.#position = ((frameId % count) + count) % count;
    this.#begin();
  }

  /**
   * Show one more frame, `by` frames from here, and stay there.
   *
   * @param {number} by
   */
  step(by) {
    this.#isPlaying = false;
    this.seek(this.#position + by);
  }

  /** Fetch the picture at the position anew: it is to be drawn in another way. */
  refresh() {
    this.#pictured = null;
    this.#begin();
  }

  /** Fetch the picture at the position if it did not come before. */
  retry() {
    if (!this.#run) this.#begin();
  }

  #begin() {
    this.#endRun();
    this.#still.wanted = null;
    if (this.#model && this.#isConnected && this.#isPlaying) this.#startRun(this.#model);
    else if (this.#pictured !== this.#position) this.#showStill();
    this.#handlers.onChange();
  }

  /** @param {Model} model */
  #startRun(model) {
    const now = performance.now();
    this.#run = {
      model,
      firstFrame: this.#position,
      startMs: now + this.pace.leadMs,
      intervalMs: 1000 / this.#fps,
      isSounding: false,
      quietUntilMs: -Infinity,
      next: 0,
      last: -1,
      tickedMs: now,
      ready: new Map(),
    };
    this.#ask();
    this.#tickLater(this.#run);
  }

  #endRun() {
    for (const picture of this.#run?.ready.values() ?? []) picture.close();
    this.#run = null;
    this.#sound.stop();
  }

  /** @param {Run} run */
  #tickLater(run) {
    requestAnimationFrame(() => {
      if (run === this.#run) this.#tick(run);
    });
  }

  /** @param {Run} run */
  #tick(run) {
    const now = performance.now();
    if (now - run.tickedMs > STALL_MS) {
      this.#begin();
      return;
    }
    run.tickedMs = now;
    this.#showDue(run, this.#elapsedMs(run));
    this.#followSound(run);
    this.#ask();
    this.#tickLater(run);
  }

  /**
   * Return how long ago the run began, by the clock that leads.
   *
   * @param {Run} run
   */
  #elapsedMs(run) {
    return run.isSounding ? this.#sound.elapsedMs : performance.now() - run.startMs;
  }

  /**
   * Let sound join the run or leave it, without a jump in time.
   *
   * @param {Run} run
   */
  #followSound(run) {
    const elapsedMs = this.#elapsedMs(run);
    if (elapsedMs > dueMs(run, run.last + 1) + STARVED_MS) run.quietUntilMs = elapsedMs + QUIET_MS;
    const shallSound = this.#sound.isReady && this.isOwnRate && elapsedMs > run.quietUntilMs;
    if (shallSound === run.isSounding) return;
    run.isSounding = shallSound;
    run.startMs = performance.now() - elapsedMs;
    if (!shallSound) return this.#sound.stop();
    const [firstMs, lengthMs] = [run.firstFrame, run.model.frame_count].map((n) => dueMs(run, n));
    this.#sound.start(firstMs / 1000, elapsedMs / 1000, lengthMs / 1000);
  }

  /**
   * Show the first picture whose time has come and not passed; let go of those whose time has passed.
   *
   * @param {Run} run
   * @param {number} elapsedMs
   */
  #showDue(run, elapsedMs) {
    const due = [...run.ready].sort(([a], [b]) => a - b).filter(([n]) => dueMs(run, n) <= elapsedMs + SLACK_MS);
    for (const [n, picture] of due) {
      run.ready.delete(n);
      if (n > run.last && dueMs(run, n + 1) + SLACK_MS >= elapsedMs) {
        this.dropped += n - run.last - 1;
        run.last = n;
        this.#show(picture, frameOf(run, n));
        return;
      }
      picture.close();
    }
  }

  /** Keep the pipeline full, skipping frames that would come too late anyway. */
  #ask() {
    const run = this.#run;
    // a hidden page is not repainted: what it asked for would only pile up
    if (!run || performance.now() - run.tickedMs > STALL_MS) return;
    while (this.#inFlight < this.pace.maxInFlight) {
      const earliestMs = this.#elapsedMs(run) + this.pace.leadMs;
      run.next = Math.max(run.next, Math.ceil(earliestMs / run.intervalMs - 1));
      if (dueMs(run, run.next) > earliestMs + AHEAD_MS) return;
      this.#fetchFor(run, run.next);
      run.next += 1;
    }
  }

  /**
   * @param {Run} run
   * @param {number} n
   */
  async #fetchFor(run, n) {
    const picture = await this.#fetch(run.model, frameOf(run, n));
    if (picture && run === this.#run) run.ready.set(n, picture);
    else picture?.close();
    this.#ask();
  }

  /** Show the picture at the position, and while it is under way remember only the newest wish. */
  async #showStill() {
    const still = this.#still;
    still.wanted = this.#position;
    if (still.isBusy) return;
    still.isBusy = true;
    while (still.wanted !== null && this.#model && this.#isConnected) {
      const { wanted: frameId } = still;
      const model = this.#model;
      const picture = await this.#fetch(model, frameId);
      if (!picture || this.#run || model !== this.#model) picture?.close();
      else this.#show(picture, frameId);
      if (still.wanted === frameId && model === this.#model) still.wanted = null;
    }
    still.isBusy = false;
  }

  /**
   * Fetch one picture, or report why there is none and return null.
   *
   * @param {Model} model
   * @param {number} frameId
   */
  async #fetch(model, frameId) {
    const { pace } = this;
    const sentMs = performance.now();
    this.#inFlight += 1;
    try {
      const picture = await this.#fetchPicture(model.name, frameId);
      pace.add(performance.now() - sentMs);
      return picture;
    } catch (error) {
      this.#handlers.onFault(error);
      return null;
    } finally {
      this.#inFlight -= 1;
    }
  }

  /**
   * @param {Picture} picture
   * @param {number} frameId
   */
  #show(picture, frameId) {
    this.shown += 1;
    this.#pictured = frameId;
    if (this.#run) this.#position = frameId;
    this.#handlers.onPicture(picture, frameId);
    this.#handlers.onChange();
  }
}

/**
 * Return the model's frame that is frame n of the run.
 *
 * @param {Run} run
 * @param {number} n
 */
function frameOf(run, n) {
  return (run.firstFrame + n) % run.model.frame_count;
}

/**
 * Return when frame n is due, from the run's start.
 *
 * @param {Run} run
 * @param {number} n
 */
function dueMs(run, n) {
  return n * run.intervalMs;
}
