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

const TAB = "speak";
const REFRESH_MS = 5000;
const MODELS_LIMIT_MS = 4000;
const PUMP_MS = 100;
const FAULT_MS = 8000;
const MAX_FILE_BYTES = 100_000_000;
const MAX_BUFFERED_S = 2; // of the microphone's sound: a network that is slower loses some of it
const HISTORY = 500;

const element = (id) => document.getElementById(`speech-${id}`);
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

let avatars = [];
let wanted = null; // stays the user's choice while the avatar is away
let recording = null; // on its way to the bridge
let picturedSample = 0; // up to which pictures came
let isListening = false;
let history = [];
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

session.addEventListener("started", ({ detail }) => {
  problems.session = null;
  log.clear();
  recording = null;
  picturedSample = 0;
  player.begin(detail);
  showState();
});
session.addEventListener("picture", ({ detail: picture }) => {
  player.add(picture);
  if (!picture.isSpeech) return;
  picturedSample = picture.sample;
  pump();
});
session.addEventListener("speaking", () => player.noteSpeaking());
session.addEventListener("idle", ({ detail }) => player.noteIdle(detail));
session.addEventListener("error", ({ detail }) => {
  if (!detail.fatal) fault(`${detail.code}: ${detail.error}`);
});
session.addEventListener("away", ({ detail }) => {
  problems.session = sayAway(detail, wanted);
  recording = null;
  player.reset();
  showState();
});

function pump() {
  if (recording && session.started) recording.pump(picturedSample);
  if (recording?.isSent) recording = null;
}

// ---- what is said

/** Say a recording, in place of whatever is said now. */
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
    const answer = await fetch("models", { signal: AbortSignal.timeout(MODELS_LIMIT_MS) });
    if (answer.ok) setAvatars((await answer.json()).models.map(({ name }) => name));
  } catch (error) {
    console.debug(`The list of avatars did not come: ${error.message}`); // the session tells that the bridge is away
  }
}

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

function onShow(picture) {
  const latencyMs = latency.add(picture, session, isListening);
  if (latencyMs !== null) setOutput("latency", Math.round(latencyMs));
  history.push({ ...picture, jpeg: undefined, atMs: performance.now(), heardSample: player.heardSample });
  if (history.length > HISTORY) history.shift();
  setOutput("shown", player.counts.spoken);
  setOutput("skipped", player.counts.skipped);
  showState();
}

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
  element("listen").ariaPressed = isListening;
  setText(element("listen-text"), isListening ? "Stop" : "Speak");
  element("picture").ariaLabel = player.shown ? `${wanted}, ${name.toLowerCase()}` : "No picture yet";
}

function nameOf({ isStarted, isListening, isSpeaking }) {
  if (!isStarted) return "Away";
  if (isListening) return "Listening";
  return isSpeaking ? "Speaking" : "Idle";
}

/** An equal text would be read out again. */
function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

function setOutput(id, value) {
  element(id).dataset.value = value;
  setText(element(id), value.toLocaleString("en"));
}

function showLevel(samples) {
  const loudest = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  element("level").style.scale = `${Math.min(loudest, 1).toFixed(2)} 1`;
}

// ---- controls

function onKey(event) {
  if (event.key === "Escape" && isSeen(TAB)) interrupt();
}

function onDrop(event) {
  event.preventDefault();
  element("stage").classList.toggle("dropping", event.type === "dragover");
  if (event.type === "drop") sayFile(event.dataTransfer.files[0]);
}

element("listen").addEventListener("click", listen);
element("interrupt").addEventListener("click", interrupt);
element("file").addEventListener("change", ({ target }) => {
  sayFile(target.files[0]);
  target.value = ""; // the same file can be chosen again
});
element("avatar").addEventListener("change", ({ target }) => {
  wanted = target.value;
  openSession();
  samples.offer(wanted, avatars);
});
element("low-latency").addEventListener("change", openSession);
for (const type of ["dragover", "dragleave", "drop"]) element("stage").addEventListener(type, onDrop);
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
