/** How long an answer takes, and from that how many requests to keep in flight. */

const MIN_IN_FLIGHT = 2;
const MAX_IN_FLIGHT = 12;
const FIRST_LEAD_MS = 120;
const DISPLAY_MS = 17; // a decoded picture waits for the next repaint
const HISTORY = 100;

/**
 * Estimates from the latencies, in ms from request to decoded picture.
 *
 * Mean and deviation are smoothed as RFC 6298 smooths round trips. The number in flight follows TCP Vegas:
 * latency above the shortest one seen means that requests wait for each other; more would only wait longer.
 */
export class Pace {
  /** @type {number[]} */
  #latencies = [];
  /** @type {number|null} */
  #mean = null;
  #deviation = 0;
  #shortest = Infinity;
  #inFlight = MIN_IN_FLIGHT;

  /**
   * Take account of one answer.
   *
   * @param {number} latencyMs
   */
  add(latencyMs) {
    this.#latencies.push(latencyMs);
    if (this.#latencies.length > HISTORY) this.#latencies.shift();
    const mean = this.#mean ?? latencyMs;
    this.#deviation += (Math.abs(latencyMs - mean) - this.#deviation) / 4;
    this.#mean = mean + (latencyMs - mean) / 8;
    this.#shortest = Math.min(this.#shortest, latencyMs);
    const queued = this.#inFlight * (1 - this.#shortest / latencyMs);
    if (queued < 1) this.#inFlight += 1 / this.#inFlight;
    if (queued > 3) this.#inFlight -= 1 / this.#inFlight;
    this.#inFlight = Math.min(Math.max(this.#inFlight, MIN_IN_FLIGHT), MAX_IN_FLIGHT);
  }

  /** Forget the shortest latency: the server may have become slower, or the model another one. */
  restart() {
    this.#shortest = Infinity;
    this.#inFlight = MIN_IN_FLIGHT;
  }

  /** Requests worth keeping in flight. */
  get maxInFlight() {
    return Math.floor(this.#inFlight);
  }

  /** How long before its time a frame has to be asked for, in ms. */
  get leadMs() {
    if (this.#mean === null) return FIRST_LEAD_MS;
    return this.#mean + 2 * this.#deviation + DISPLAY_MS;
  }

  /** Mean of the last 100 latencies in ms, or null before the first. */
  get averageMs() {
    if (this.#latencies.length === 0) return null;
    return this.#latencies.reduce((sum, latencyMs) => sum + latencyMs, 0) / this.#latencies.length;
  }
}
