/** In the audio thread: gathers the microphone's samples into pieces of 20 ms. */

const PIECE_S = 0.02;

/** Posts `{samples, timeS}`: mono float32, and the context's time of the first of them. */
class MicrophoneProcessor extends AudioWorkletProcessor {
  #samples = new Float32Array(Math.round(sampleRate * PIECE_S));
  #filled = 0;
  #timeS = 0;

  /** @param {Float32Array[][]} inputs */
  process([channels]) {
    const input = channels[0];
    if (!input) return true; // nothing is connected yet, or any more
    for (let i = 0; i < input.length; i += 1) {
      if (this.#filled === 0) this.#timeS = currentTime + i / sampleRate;
      this.#samples[this.#filled] = input[i];
      this.#filled += 1;
      if (this.#filled === this.#samples.length) this.#post();
    }
    return true;
  }

  #post() {
    this.port.postMessage({ samples: this.#samples.slice(), timeS: this.#timeS });
    this.#filled = 0;
  }
}

registerProcessor("microphone", MicrophoneProcessor);
