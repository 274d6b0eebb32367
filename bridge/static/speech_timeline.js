/** Which picture is due: a position in picture numbers that goes on evenly, and is moved with care. */

/** Times are milliseconds by `performance.now()`; a position of 7.5 is half-way from picture 7 to picture 8. */
export class Timeline {
  #frameMs;
  /** @type {number|null} */
  #zeroMs = null; // when picture 0 was due
  /** @type {number|null} */
  #frozen = null;

  /** @param {number} fps Pictures a second. */
  constructor(fps) {
    this.#frameMs = 1000 / fps;
  }

  /** Whether it was told when any picture is due. */
  get isPlaced() {
    return this.#zeroMs !== null;
  }

  /** Whether it stands still. */
  get isFrozen() {
    return this.#frozen !== null;
  }

  /**
   * Return the position at a time; -Infinity before anything is due.
   *
   * @param {number} nowMs
   */
  positionAt(nowMs) {
    if (this.#frozen !== null) return this.#frozen;
    return this.#zeroMs !== null ? (nowMs - this.#zeroMs) / this.#frameMs : -Infinity;
  }

  /**
   * Return when a picture is due.
   *
   * @param {number} number
   */
  dueMs(number) {
    return (this.#zeroMs ?? 0) + number * this.#frameMs;
  }

  /**
   * Let a picture be due at a time, and go on from there.
   *
   * @param {number} number
   * @param {number} dueMs
   */
  place(number, dueMs) {
    this.#zeroMs = dueMs - number * this.#frameMs;
    this.#frozen = null;
  }

  /**
   * Let all pictures be due so much later, or earlier below 0.
   *
   * @param {number} byMs
   */
  shift(byMs) {
    if (this.#zeroMs !== null) this.#zeroMs += byMs;
  }

  /**
   * Stand still until the next `place`.
   *
   * @param {number} nowMs
   */
  freeze(nowMs) {
    this.#frozen = this.positionAt(nowMs);
  }
}
