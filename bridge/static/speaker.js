/** The speaker button: whether there is sound, and whether it is muted. */

/** Let a button mute and unmute the sound. */
export function wireSpeaker(button, sound) {
  button.addEventListener("click", () => {
    sound.unlock();
    sound.isMuted = !sound.isMuted;
  });
}

/** Show on the button what it will do next, or that there is nothing to hear. */
export function showSpeaker(button, { exists, isMuted }) {
  const action = isMuted ? "Unmute" : "Mute";
  button.disabled = !exists;
  button.dataset.muted = isMuted || !exists;
  button.ariaLabel = exists ? action : "No sound";
  button.title = exists ? `${action} (M)` : "This avatar has no sound";
}
