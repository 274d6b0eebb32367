/** Cuts a recording at its pauses. */

/** @typedef {[first: number, end: number]} Range */

const STEP_S = 0.02;
const QUIET = 0.08; // of the loudest step
const PAUSE_S = 0.16;
const SHORTEST_S = 1.2;
const MARGIN_S = 0.08; // of silence, kept at both ends

/**
 * Find the phrases of a recording.
 *
 * @param {Float32Array} samples
 * @param {number} rate Samples a second.
 * @returns {Range[]} First sample and the one after the last of each phrase, in order; a phrase that would be shorter
 *     than 1.2 s goes on beyond its pause.
 */
export function phrasesOf(samples, rate) {
  const step = Math.round(rate * STEP_S);
  const levels = levelsOf(samples, step);
  const threshold = QUIET * levels.reduce((most, level) => Math.max(most, level), 0);
  /** @type {Range[]} */
  const phrases = [];
  /** @type {number|null} */
  let first = null;
  let last = 0; // the last step that was heard
  for (const [i, level] of levels.entries()) {
    if (level <= threshold) continue;
    if (first !== null && (i - last) * STEP_S > PAUSE_S && (last - first) * STEP_S > SHORTEST_S) {
      phrases.push([first, last + 1]);
      first = i;
    }
    first ??= i;
    last = i;
  }
  if (first !== null) phrases.push([first, last + 1]);
  const margin = Math.round(rate * MARGIN_S);
  return phrases.map(([from, to]) => [
    Math.max(from * step - margin, 0),
    Math.min(to * step + margin, samples.length),
  ]);
}

/**
 * Return the root mean square of each step.
 *
 * @param {Float32Array} samples
 * @param {number} step
 */
function levelsOf(samples, step) {
  return Array.from({ length: Math.floor(samples.length / step) }, (_, i) => {
    const part = samples.subarray(i * step, (i + 1) * step);
    return Math.sqrt(part.reduce((sum, value) => sum + value * value, 0) / step);
  });
}

/**
 * Cut a piece out of a mono recording.
 *
 * @param {AudioBuffer} buffer
 * @param {Range} range First sample, and the one after the last.
 * @returns {AudioBuffer}
 */
export function cut(buffer, [from, to]) {
  const piece = new AudioBuffer({ length: to - from, sampleRate: buffer.sampleRate, numberOfChannels: 1 });
  piece.copyToChannel(buffer.getChannelData(0).subarray(from, to), 0);
  return piece;
}
