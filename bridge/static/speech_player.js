/** Shows the talking face: each picture when it is due, its sound at the same moment. */

import { framesAfter } from "./full_frames.js";
import { drawPatch } from "./patch.js";
import { Timeline } from "./speech_timeline.js";

/** @import { FullFrames } from "./full_frames.js" */
/** @import { SpeechPicture, Started } from "./speech_protocol.js" */
/** @import { SpeechSound } from "./speech_sound.js" */

const JITTER_MS = 140; // how long the first picture of speech waits, so that those after it may come late
const SLACK_MS = { least: 100, most: 250 }; // where the wait lies in there it is left alone: nothing jumps
const IDLE_MS = 80; // a silent picture waits so long; speech comes about that much ahead of its time
const CREEP_MS = 6; // by how much silent pictures are moved, each, to get there
const JUMP_MS = 3000; // beyond that a device slept
const LATE_MS = 40; // without sound the lips wait for a late picture, and so long for those after it
const LATE_PICTURES = 5; // with sound the lips stand still for so many, then the sound waits for them
const STARVED_PICTURES = 10; // the sound goes on for so many pictures that do not come: 0.4 s
const REPAINT = 0.2; // of a picture: one due between two repaints belongs to the nearer one
const FRAMES_AHEAD = 12;
const MAX_WAITING = 128;

/**
 * A picture that waits for its time; `bitmap` is null until it is decoded.
 *
 * @typedef {{picture: SpeechPicture, bitmap: ImageBitmap|null, isDropped: boolean}} Waiting
 */

/** A stretch of speech whose pictures follow each other: their numbers and samples go on together. */
class Run {
  /** @param {SpeechPicture} first */
  constructor({ number, sample }) {
    this.number = number;
    this.sample = sample;
    this.last = number; // the last picture that came
    /** @type {number|null} */
    this.endNumber = null; // where silent pictures follow
    this.isOver = false; // no picture of it is yet to come
    this.late = 0; // pictures in a row that came too late to be shown
    this.shown = number - 1; // the last one that was shown
  }
}

/** One session's face on one canvas; `begin` it with each session. */
export class SpeechPlayer {
  #canvas;
  #frames;
  #sound;
  #handlers;
  #timeline = new Timeline(25);
  /** @type {Started|null} */
  #started = null;
  /** @type {{buffer: AudioBuffer, firstSample: number}|null} */
  #recording = null;
  /** @type {Run|null} */
  #run = null;
  #runBegins = false;
  /** @type {Map<number, Waiting>} */
  #waiting = new Map(); // pictures by number, ascending
  /** @type {SpeechPicture|null} */
  #shown = null;
  #step = 1;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {FullFrames} frames
   * @param {SpeechSound} sound
   * @param {{onShow: (picture: SpeechPicture) => void, onFault: (error: Error) => void}} handlers
   */
  constructor(canvas, frames, sound, handlers) {
    this.#canvas = canvas;
    this.#frames = frames;
    this.#sound = sound;
    this.#handlers = handlers;
    this.counts = { shown: 0, spoken: 0, skipped: 0, pauses: 0 };
  }

  /** The picture on the screen, or null. */
  get shown() {
    return this.#shown;
  }

  /** Pictures that wait for their time. */
  get waiting() {
    return this.#waiting.size;
  }

  /** Whether speech is shown, heard, or about to be. */
  get isSpeaking() {
    return this.#sound.isPlaying || this.#hasSpeech() || (this.#shown?.isSpeech ?? false);
  }

  /** The session's sample that the ear hears now, or null in silence. */
  get heardSample() {
    if (!this.#recording || !this.#started || !this.#sound.isPlaying) return null;
    return this.#recording.firstSample + this.#sound.positionS * this.#started.sample_rate;
  }

  /**
   * Show another session's pictures; `started` is the bridge's message.
   *
   * @param {Started} started
   */
  begin(started) {
    this.reset();
    this.#started = started;
    this.#frames.setAvatar(started.avatar);
    this.#timeline = new Timeline(started.fps);
    const tick = () => {
      if (this.#started !== started) return;
      this.#tick(performance.now());
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  /** Stop, in silence; the last picture stays on the canvas. */
  reset() {
    this.interrupt();
    this.#drop(() => true);
    this.#started = this.#shown = null;
  }

  /**
   * Take what is said next: `buffer` is heard with the pictures of its samples, the session's from `firstSample` on.
   *
   * @param {{buffer: AudioBuffer, firstSample: number}|null} recording Null for what is not to be heard: a microphone.
   */
  say(recording) {
    this.#recording = recording;
  }

  /** Be silent at once, and forget what was to be said. */
  interrupt() {
    this.#sound.stop();
    this.#drop(({ picture }) => picture.isSpeech);
    if (this.#timeline.isFrozen) this.#timeline.place(this.#timeline.positionAt(0), performance.now());
    if (this.#shown) this.#shown = { ...this.#shown, isSpeech: false }; // it stays, but nothing is said any more
    this.#recording = this.#run = null;
    this.#runBegins = false;
  }

  /** The next picture begins a run. */
  noteSpeaking() {
    this.#runBegins = true;
  }

  /**
   * From picture `number` on the face is silent.
   *
   * @param {{number: number, reason: string}} event The bridge's message.
   */
  noteIdle({ number, reason }) {
    if (!this.#run) return;
    this.#run.isOver = true;
    if (reason === "starved") this.#run.endNumber = number;
    if (this.#timeline.isFrozen) this.#resume(this.#run, performance.now());
  }

  /**
   * Take a picture that came.
   *
   * @param {SpeechPicture} picture
   */
  add(picture) {
    const nowMs = performance.now();
    if (picture.isSpeech) this.#placeSpeech(picture, nowMs);
    else this.#placeSilent(picture, nowMs);
    if (picture.number <= (this.#shown?.number ?? -1)) return;
    const [oldest] = this.#waiting.values();
    if (this.#waiting.size >= MAX_WAITING) this.#drop((waiting) => waiting === oldest);
    this.#decode(picture);
  }

  /** @param {SpeechPicture} picture */
  async #decode(picture) {
    /** @type {Waiting} */
    const waiting = { picture, bitmap: null, isDropped: false };
    this.#waiting.set(picture.number, waiting);
    try {
      const bitmap = await createImageBitmap(new Blob([picture.jpeg], { type: "image/jpeg" }));
      if (waiting.isDropped) bitmap.close();
      else waiting.bitmap = bitmap;
    } catch (cause) {
      this.#waiting.delete(picture.number);
      const size = `${picture.jpeg.length} bytes that do not decode`;
      this.#handlers.onFault(new Error(`picture: expected a JPEG, got ${size}`, { cause }));
    }
  }

  // ---- when pictures are due

  /**
   * @param {SpeechPicture} picture
   * @param {number} nowMs
   */
  #placeSpeech(picture, nowMs) {
    if (this.#runBegins || !this.#run) return this.#beginRun(picture, nowMs);
    const run = this.#run;
    run.last = picture.number;
    run.isOver = picture.isLast;
    if (this.#timeline.isFrozen) {
      if (run.isOver || picture.number >= this.#timeline.positionAt(nowMs)) this.#resume(run, nowMs);
      return;
    }
    const isLate = this.#timeline.positionAt(nowMs) >= picture.number + 1;
    run.late = isLate ? run.late + 1 : 0;
    if (isLate && !this.#sound.isPlaying) this.#timeline.place(picture.number, nowMs + LATE_MS);
    if (run.late >= LATE_PICTURES && this.#sound.isPlaying) this.#pause(nowMs);
  }

  /**
   * @param {SpeechPicture} picture
   * @param {number} nowMs
   */
  #beginRun(picture, nowMs) {
    this.#runBegins = false;
    const run = new Run(picture);
    run.isOver = picture.isLast;
    this.#run = run;
    const slackMs = this.#timeline.isPlaced ? this.#timeline.dueMs(picture.number) - nowMs : -Infinity;
    const isWell = slackMs >= SLACK_MS.least && slackMs <= SLACK_MS.most && !this.#timeline.isFrozen;
    if (!isWell) this.#timeline.place(picture.number, nowMs + JITTER_MS);
    this.#playFrom(run, picture.number);
  }

  /**
   * Let silent pictures wait `IDLE_MS`, without a jump.
   *
   * @param {SpeechPicture} picture
   * @param {number} nowMs
   */
  #placeSilent({ number }, nowMs) {
    const errorMs = this.#timeline.isPlaced ? IDLE_MS - (this.#timeline.dueMs(number) - nowMs) : Infinity;
    if (this.#timeline.isFrozen || this.#sound.isPlaying || this.#hasSpeech()) return;
    if (Math.abs(errorMs) > JUMP_MS) this.#timeline.place(number, nowMs + IDLE_MS);
    else this.#timeline.shift(Math.min(Math.max(errorMs, -CREEP_MS), CREEP_MS));
  }

  /**
   * Let sound and lips wait for pictures that are late.
   *
   * @param {number} nowMs
   */
  #pause(nowMs) {
    this.#timeline.freeze(nowMs);
    this.#sound.stop();
    this.counts.pauses += 1;
  }

  /**
   * @param {Run} run
   * @param {number} nowMs
   */
  #resume(run, nowMs) {
    const position = this.#timeline.positionAt(nowMs);
    run.late = 0;
    this.#timeline.place(position, nowMs + JITTER_MS);
    this.#playFrom(run, position);
  }

  /**
   * @param {Run} run
   * @param {number} position
   */
  #playFrom(run, position) {
    if (!this.#recording || !this.#started) return;
    const { buffer, firstSample } = this.#recording;
    const sample = run.sample + (position - run.number) * this.#started.samples_per_frame;
    const offsetS = Math.max((sample - firstSample) / this.#started.sample_rate, 0);
    this.#sound.play(buffer, offsetS, this.#timeline.dueMs(position));
  }

  // ---- what is shown

  /** @param {number} nowMs */
  #tick(nowMs) {
    this.#followSound(nowMs);
    const position = this.#timeline.positionAt(nowMs);
    const endNumber = this.#run?.endNumber ?? Infinity;
    if (position >= endNumber) this.#endRun();
    this.#wantFrames();
    const due = [...this.#waiting.values()].findLast(
      (waiting) => waiting.picture.number <= position + REPAINT && this.#isReady(waiting),
    );
    if (due?.bitmap) this.#show(due.picture, due.bitmap);
  }

  /** @param {number} nowMs */
  #followSound(nowMs) {
    const heardSample = this.heardSample;
    if (!this.#run || !this.#started || heardSample === null) return;
    const position = this.#run.number + (heardSample - this.#run.sample) / this.#started.samples_per_frame;
    this.#timeline.place(position, nowMs);
    if (!this.#run.isOver && position > this.#run.last + 1 + STARVED_PICTURES) this.#pause(nowMs);
  }

  /** The rest of the sound is yet to come: what follows begins with it. */
  #endRun() {
    this.#sound.stop();
    this.#run = null;
  }

  /** @param {Waiting} waiting */
  #isReady({ picture, bitmap }) {
    return bitmap !== null && (this.#frames.get(picture.frameId) !== null || this.#frames.isMissing);
  }

  /**
   * @param {SpeechPicture} picture
   * @param {ImageBitmap} bitmap
   */
  #show(picture, bitmap) {
    drawPatch(this.#canvas, this.#frames.get(picture.frameId), bitmap, picture);
    this.#count(picture);
    if (this.#shown && picture.frameId !== this.#shown.frameId) {
      this.#step = Math.sign(picture.frameId - this.#shown.frameId);
    }
    this.#shown = picture;
    this.#drop((waiting) => waiting.picture.number <= picture.number);
    this.#canvas.dataset.number = String(picture.number);
    this.#handlers.onShow(picture);
  }

  /** @param {SpeechPicture} picture */
  #count(picture) {
    this.counts.shown += 1;
    if (!picture.isSpeech) return;
    this.counts.spoken += 1;
    if (!this.#run || picture.number < this.#run.number) return; // of the run before
    this.counts.skipped += picture.number - this.#run.shown - 1;
    this.#run.shown = picture.number;
  }

  #wantFrames() {
    const next = [...this.#waiting.values()].slice(0, FRAMES_AHEAD).map(({ picture }) => picture.frameId);
    const [before, last] = next.slice(-2);
    const frameId = next.at(-1) ?? this.#shown?.frameId;
    if (frameId === undefined || !this.#started) return;
    const step = next.length > 1 ? Math.sign(last - before) || 1 : this.#step;
    const after = framesAfter(frameId, step, this.#started.frame_count, FRAMES_AHEAD - next.length);
    this.#frames.want([...next, ...after]);
  }

  #hasSpeech() {
    return [...this.#waiting.values()].some(({ picture }) => picture.isSpeech);
  }

  /** @param {(waiting: Waiting) => boolean} isUnwanted */
  #drop(isUnwanted) {
    for (const [number, waiting] of this.#waiting) {
      if (!isUnwanted(waiting)) continue;
      this.#waiting.delete(number);
      waiting.isDropped = true;
      waiting.bitmap?.close();
    }
  }
}
