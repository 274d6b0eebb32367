/** The speaker button: whether there is sound, and whether it is muted. */

/** @import { Sound } from "./sound.js" */

/**
 * Let a button mute and unmute the sound.
 *
 * @param {HTMLButtonElement} button
 * @param {Sound} sound
 */
export function wireSpeaker(button, sound) {
  button.addEventListener("click", () => {
    sound.unlock();
    sound.isMuted = !sound.isMuted;
  });
}

/**
 * Show on the button what it will do next, or that there is nothing to hear.
 *
 * @param {HTMLButtonElement} button
 * @param {{exists: boolean, isMuted: boolean}} sound
 */
export function showSpeaker(button, { exists, isMuted }) {
  const action = isMuted ? "Unmute" : "Mute";
  button.disabled = !exists;
  button.dataset.muted = String(isMuted || !exists);
  button.ariaLabel = exists ? action : "No sound";
  button.title = exists ? `${action} (M)` : "This avatar has no sound";
}
