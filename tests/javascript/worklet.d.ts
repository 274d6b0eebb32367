/** What scripts find in the audio thread, which TypeScript's own libraries leave out. */

declare const currentTime: number;
declare const sampleRate: number;
declare function registerProcessor(name: string, processor: typeof AudioWorkletProcessor): void;

declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
