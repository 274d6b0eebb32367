/** Something to say for those who have nothing at hand: the phrases of an avatar's own clip. */

import { cut, phrasesOf } from "./phrases.js";
import { toMono } from "./recording.js";
import { fetchWithToken } from "./token.js";

/** @import { SpeechSound } from "./speech_sound.js" */

const MAX_PHRASES = 4;

/** A row of buttons, each of which says something. */
export class SpeechSamples {
  #container;
  #sound;
  #onPress;
  /** @type {string|null} */
  #avatar = null; // whose samples are here, or on their way

  /**
   * @param {HTMLElement} container
   * @param {SpeechSound} sound Decodes.
   * @param {(buffer: AudioBuffer) => void} onPress Called with what is to be said.
   */
  constructor(container, sound, onPress) {
    this.#container = container;
    this.#sound = sound;
    this.#onPress = onPress;
  }

  /**
   * Offer what `avatar` says in its clip, or else one of the others.
   *
   * @param {string} avatar
   * @param {string[]} avatars
   */
  async offer(avatar, avatars) {
    if (avatar === this.#avatar) return;
    this.#avatar = avatar;
    this.#container.replaceChildren();
    try {
      const buffer = await this.#fetch([avatar, ...avatars.filter((other) => other !== avatar)]);
      if (buffer && avatar === this.#avatar) this.#show(buffer);
    } catch (error) {
      console.debug(`The sound of ${avatar} did not come: ${error.message}`);
      if (avatar === this.#avatar) this.#avatar = null; // asked for again
    }
  }

  /**
   * Return the first sound that there is, or null.
   *
   * @param {string[]} avatars
   */
  async #fetch(avatars) {
    for (const name of avatars) {
      const answer = await fetchWithToken(`audio/${encodeURIComponent(name)}.wav`);
      if (answer.ok) return toMono(await this.#sound.decode(await answer.arrayBuffer()));
    }
    return null;
  }

  /** @param {AudioBuffer} buffer */
  #show(buffer) {
    const phrases = phrasesOf(buffer.getChannelData(0), buffer.sampleRate);
    const shown = phrases.length > 1 ? phrases.slice(0, MAX_PHRASES) : [];
    const buttons = shown.map((range, i) => this.#button(`Phrase ${i + 1}`, cut(buffer, range)));
    this.#container.replaceChildren(...buttons, this.#button("All of it", buffer));
  }

  /**
   * @param {string} name
   * @param {AudioBuffer} buffer
   */
  #button(name, buffer) {
    const button = document.createElement("button");
    const length = document.createElement("small");
    button.type = "button";
    length.textContent = `${buffer.duration.toFixed(1)} s`;
    button.append(name, length);
    button.addEventListener("click", () => this.#onPress(buffer));
    return button;
  }
}
