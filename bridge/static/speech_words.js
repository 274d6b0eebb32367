/** What the page says about a live session: one sentence, and what to do. */

/** @import { Away } from "./speech_session.js" */

/** @type {Record<string, (chosen: {avatar: string}) => string>} */
const ADVICE = {
  overloaded: () => "The machine has no room for one more talking face",
  cannot_hear: ({ avatar }) =>
    `${avatar} cannot be spoken to, for it was imported without an audio encoder: choose another avatar, or import it again`,
  unknown_model: ({ avatar }) => `${avatar} is not loaded`,
  unavailable: () => "No Triton is ready",
  timeout: () => "Triton does not answer in time",
  shutting_down: () => "The bridge is being restarted",
  idle_timeout: () => "The bridge ended a session in which nothing was said",
  slow_client: () => "The network is too slow for the pictures",
};

/**
 * Say why there is no session.
 *
 * @param {Away} away
 * @param {string} avatar The one that is chosen.
 * @returns {string}
 */
export function sayAway({ host, retryInMs, error }, avatar) {
  const advice = error && (ADVICE[error.code]?.({ avatar }) ?? `${error.code}: ${error.error}`);
  const what = advice ?? `The bridge at ${host} does not answer`;
  return retryInMs === null ? what : `${what}; trying again in ${retryInMs / 1000} s`;
}

/**
 * Say what goes on.
 *
 * @param {{avatar: string|null, isStarted: boolean, isListening: boolean, isSpeaking: boolean}} state
 * @returns {string}
 */
export function sayState({ avatar, isStarted, isListening, isSpeaking }) {
  if (!avatar) return "Waiting for an avatar";
  if (!isStarted) return `Waiting for ${avatar}`;
  if (isListening) return `${avatar} says what you say`;
  if (isSpeaking) return `${avatar} is speaking`;
  return `${avatar} is ready: press Speak, or choose something to say`;
}
