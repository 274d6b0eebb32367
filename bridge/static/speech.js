/** The tab for live speech: wires its controls, the session, the microphone and the player together. */

import { FullFrames } from "./full_frames.js";
import { Microphone } from "./microphone.js";
import { Recording, toMono } from "./recording.js";
import { Latency, SentLog } from "./sent_log.js";
import { SpeechPlayer } from "./speech_player.js";
import { toPcm } from "./speech_protocol.js";
import { SpeechSamples } from "./speech_samples.js";
import { SpeechSession } from "./speech_session.js";
import { SpeechSound } from "./speech_sound.js";
import { sayAway, sayState } from "./speech_words.js";
import { isSeen } from "./tabs.js";
import { fetchWithToken } from "./token.js";

/** @import { SpeechPicture, Started } from "./speech_protocol.js" */
/** @import { Away } from "./speech_session.js" */

const TAB = "speak";
const REFRESH_MS = 5000;
const MODELS_LIMIT_MS = 4000;
const PUMP_MS = 100;
const FAULT_MS = 8000;
const MAX_FILE_BYTES = 100_000_000;
const MAX_BUFFERED_S = 2; // of the microphone's sound: a network that is slower loses some of it
const HISTORY = 500;

/**
 * The tab's elements that are read or changed here, by their ids without `speech-`.
 *
 * @typedef {Record<"listen"|"interrupt", HTMLButtonElement>} Buttons
 * @typedef {Record<"file"|"low-latency", HTMLInputElement> & {avatar: HTMLSelectElement}} Fields
 * @typedef {Record<"latency"|"shown"|"skipped", HTMLOutputElement>} Outputs
 * @typedef {Record<"stage"|"status"|"state"|"level"|"listen-text"|"samples", HTMLElement>} Others
 * @typedef {Buttons & Fields & Outputs & Others & {picture: HTMLCanvasElement}} Elements
 */

/** @type {<Id extends keyof Elements>(id: Id) => Elements[Id]} */
const element = (id) => /** @type {any} */ (document.getElementById(`speech-${id}`));
const socketUrl = new URL("speech", document.baseURI);
socketUrl.protocol = socketUrl.protocol.replace("http", "ws");

const session = new SpeechSession(socketUrl);
const sound = new SpeechSound();
const frames = new FullFrames();
const player = new SpeechPlayer(element("picture"), frames, sound, { onShow, onFault: ({ message }) => fault(message) });
const microphone = new Microphone(onPiece, stopListening);
const log = new SentLog();
const latency = new Latency(log);
const samples = new SpeechSamples(element("samples"), sound, say);

/** @type {string[]} */
let avatars = [];
/** @type {string|null} */
let wanted = null; // stays the user's choice while the avatar is away
/** @type {Recording|null} */
let recording = null; // on its way to the bridge
let picturedSample = 0; // up to which pictures came
let isListening = false;
/** @type {object[]} */
let history = [];
/** @type {Record<"session"|"fault", string|null>} */
const problems = { session: null, fault: null };
let faultTimer = 0;

// ---- the session

function follow() {
  if (!isSeen(TAB)) return leave();
  if (!session.isWanted) openSession();
  refreshAvatars();
}

function openSession() {
  leave();
  if (!wanted) return;
  const lowLatency = element("low-latency").checked;
  session.open({ avatar: wanted, sampleRate: sound.context.sampleRate, lowLatency });
  showState();
}

/** Let everything go that would be heard, seen or recorded: the tab is not looked at. */
function leave() {
  stopListening();
  recording = null;
  session.close();
  player.reset();
  problems.session = null;
  showState();
}

on("started", (/** @type {Started} */ started) => {
  problems.session = null;
  log.clear();
  recording = null;
  picturedSample = 0;
  player.begin(started);
  showState();
});
on("picture", (/** @type {SpeechPicture} */ picture) => {
  player.add(picture);
  if (!picture.isSpeech) return;
  picturedSample = picture.sample;
  pump();
});
on("speaking", () => player.noteSpeaking());
on("idle", (/** @type {{number: number, reason: string}} */ idle) => player.noteIdle(idle));
on("error", (/** @type {{fatal: boolean, code: string, error: string}} */ told) => {
  if (!told.fatal) fault(`${told.code}: ${told.error}`);
});
on("away", (/** @type {Away} */ away) => {
  problems.session = sayAway(away, wanted ?? "");
  recording = null;
  player.reset();
  showState();
});

/**
 * Call with each event's values.
 *
 * @template Detail
 * @param {string} type
 * @param {(detail: Detail) => void} handle
 */
function on(type, handle) {
  session.addEventListener(type, (event) => handle(/** @type {CustomEvent<Detail>} */ (event).detail));
}

function pump() {
  if (recording && session.started) recording.pump(picturedSample);
  if (recording?.isSent) recording = null;
}

// ---- what is said

/**
 * Say a recording, in place of whatever is said now.
 *
 * @param {AudioBuffer} buffer
 */
function say(buffer) {
  sound.unlock();
  if (!session.started) return fault("The face is not there yet: wait until it moves, and press again");
  stopListening();
  interrupt();
  recording = new Recording(buffer, session, log);
  player.say(recording);
  latency.restart();
  pump();
  showState();
}

function interrupt() {
  const isBusy = session.isBusy || player.isSpeaking;
  recording = null;
  player.interrupt();
  if (isBusy) session.interrupt();
  showState();
}

/** @param {File|undefined} file */
async function sayFile(file) {
  sound.unlock();
  if (!file) return;
  if (file.size > MAX_FILE_BYTES) return fault(`Expected a sound file of at most 100 MB, got ${file.name}`);
  const buffer = await sound.decode(await file.arrayBuffer()).catch(() => null);
  if (buffer) say(toMono(buffer));
  else fault(`Expected a sound file, got ${file.name}, which this browser cannot decode`);
}

async function listen() {
  sound.unlock();
  if (isListening) return stopListening();
  if (!session.started) return fault("The face is not there yet: wait until it moves, and press again");
  try {
    interrupt();
    isListening = await microphone.start(sound.context);
    latency.restart();
    problems.fault = null;
  } catch (error) {
    fault(error.message);
  }
  showState();
}

/**
 * @param {Float32Array} samples
 * @param {number} capturedMs
 */
function onPiece(samples, capturedMs) {
  showLevel(samples);
  const rate = sound.context.sampleRate;
  if (session.bufferedBytes > MAX_BUFFERED_S * rate * 2) return fault("The network is too slow for the microphone");
  const piece = { firstSample: session.sentSamples, count: samples.length, atMs: capturedMs, rate };
  if (session.sendSound(toPcm(samples))) log.add(piece);
}

function stopListening() {
  microphone.stop();
  if (isListening) session.end();
  isListening = false;
  element("level").style.scale = "0 1";
  showState();
}

// ---- avatars and their samples

async function refreshAvatars() {
  if (!isSeen(TAB)) return;
  try {
    const answer = await fetchWithToken("models", { signal: AbortSignal.timeout(MODELS_LIMIT_MS) });
    if (!answer.ok) return;
    /** @type {{models: {name: string}[]}} */
    const { models } = await answer.json();
    setAvatars(models.map(({ name }) => name));
  } catch (error) {
    console.debug(`The list of avatars did not come: ${error.message}`); // the session tells that the bridge is away
  }
}

/** @param {string[]} names */
function setAvatars(names) {
  avatars = names;
  wanted ??= avatars[0] ?? null;
  const offered = wanted && !avatars.includes(wanted) ? [wanted, ...avatars] : avatars;
  const select = element("avatar");
  if (select.dataset.names !== offered.join("\n")) {
    select.dataset.names = offered.join("\n");
    select.replaceChildren(...offered.map((name) => new Option(name, name)));
  }
  if (wanted) select.value = wanted;
  select.disabled = avatars.length === 0;
  if (wanted && !session.isWanted && isSeen(TAB)) openSession();
  if (wanted) samples.offer(wanted, avatars);
}

// ---- what the page tells

/** @param {SpeechPicture} picture */
function onShow(picture) {
  const latencyMs = latency.add(picture, session, isListening);
  if (latencyMs !== null) setOutput("latency", Math.round(latencyMs));
  history.push({ ...picture, jpeg: undefined, atMs: performance.now(), heardSample: player.heardSample });
  if (history.length > HISTORY) history.shift();
  setOutput("shown", player.counts.spoken);
  setOutput("skipped", player.counts.skipped);
  showState();
}

/** @param {string} sentence */
function fault(sentence) {
  problems.fault = sentence;
  clearTimeout(faultTimer);
  faultTimer = setTimeout(() => {
    problems.fault = null;
    showState();
  }, FAULT_MS);
  showState();
}

function showState() {
  const isSpeaking = player.isSpeaking;
  const state = { avatar: wanted, isStarted: session.started !== null, isListening, isSpeaking };
  const problem = problems.fault ?? problems.session;
  setText(element("status"), problem ?? sayState(state));
  element("status").dataset.level = problem ? "warn" : "info";
  const name = nameOf(state);
  setText(element("state"), name);
  element("state").dataset.state = name.toLowerCase();
  element("interrupt").disabled = !state.isStarted || !(isSpeaking || recording || isListening);
  element("listen").ariaPressed = String(isListening);
  setText(element("listen-text"), isListening ? "Stop" : "Speak");
  element("picture").ariaLabel = player.shown ? `${wanted}, ${name.toLowerCase()}` : "No picture yet";
}

/** @param {{isStarted: boolean, isListening: boolean, isSpeaking: boolean}} state */
function nameOf({ isStarted, isListening, isSpeaking }) {
  if (!isStarted) return "Away";
  if (isListening) return "Listening";
  return isSpeaking ? "Speaking" : "Idle";
}

/**
 * An equal text would be read out again.
 *
 * @param {HTMLElement} target
 * @param {string} text
 */
function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * @param {keyof Outputs} id
 * @param {number} value
 */
function setOutput(id, value) {
  element(id).dataset.value = String(value);
  setText(element(id), value.toLocaleString("en"));
}

/** @param {Float32Array} samples */
function showLevel(samples) {
  const loudest = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  element("level").style.scale = `${Math.min(loudest, 1).toFixed(2)} 1`;
}

// ---- controls

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.key === "Escape" && isSeen(TAB)) interrupt();
}

/** @param {DragEvent} event */
function onDrop(event) {
  event.preventDefault();
  element("stage").classList.toggle("dropping", event.type === "dragover");
  if (event.type === "drop") sayFile(event.dataTransfer?.files[0]);
}

element("listen").addEventListener("click", listen);
element("interrupt").addEventListener("click", interrupt);
element("file").addEventListener("change", () => {
  sayFile(element("file").files?.[0]);
  element("file").value = ""; // the same file can be chosen again
});
element("avatar").addEventListener("change", () => {
  wanted = element("avatar").value;
  openSession();
  samples.offer(wanted, avatars);
});
element("low-latency").addEventListener("change", openSession);
for (const type of /** @type {const} */ (["dragover", "dragleave", "drop"])) {
  element("stage").addEventListener(type, onDrop);
}
document.addEventListener("keydown", onKey);
document.addEventListener("tabchange", follow);
addEventListener("pagehide", leave);
addEventListener("online", () => session.retry());
setInterval(refreshAvatars, REFRESH_MS);
setInterval(pump, PUMP_MS);
follow();

/** For tests, and for those who wonder. */
globalThis.lipsyncSpeech = {
  stats: () => ({
    ...player.counts,
    epoch: session.epoch,
    sentSamples: session.sentSamples,
    started: session.started,
    isListening,
    isSpeaking: player.isSpeaking,
    isSounding: sound.isPlaying,
    heardS: sound.isPlaying ? sound.positionS : null,
    soundStarts: sound.starts,
    waiting: player.waiting,
    fullFrames: frames.size,
    history: history.map((entry) => ({ ...entry })),
  }),
};
