/** The page: wires the controls, the player and the connection to the bridge together. */

import { FpsChart } from "./chart.js";
import { Connection, ConnectionLost } from "./connection.js";
import { chooseDecoder, Picture } from "./picture.js";
import { Player } from "./player.js";
import {
  decodeBase64,
  encodeFrameRequest,
  encodeFullFrameRequest,
  encodeInferenceRequest,
} from "./protocol.js";
import { Sound } from "./sound.js";
import { showSpeaker, wireSpeaker } from "./speaker.js";
import { isSeen } from "./tabs.js";
import { fetchWithToken } from "./token.js";

/** @import { Away } from "./connection.js" */
/** @import { Model } from "./player.js" */
/** @import { FullFrameAnswer, InferenceAnswer } from "./protocol.js" */

const TAB = "clip";
const TARGET_FPS = 30;
const SAMPLE_MS = 250;
const FPS_WINDOW_MS = 1000;
const REFRESH_MS = 5000;
const MODELS_LIMIT_MS = 4000;
const FAULT_MS = 5000;
const PLAYBACK = /** @type {const} */ (["previous", "play", "next", "slider", "frame"]);

/**
 * The page's elements that are read or changed here, by their ids.
 *
 * @typedef {Record<"sound"|"previous"|"play"|"next"|"download"|"full-screen", HTMLButtonElement>} Buttons
 * @typedef {Record<"slider"|"frame"|"rate"|"whole", HTMLInputElement> & {model: HTMLSelectElement}} Fields
 * @typedef {Record<"fps"|"latency"|"shown"|"dropped"|"decoder"|"size"|"in-flight", HTMLOutputElement>} Outputs
 * @typedef {Record<"link"|"stage"|"empty"|"play-text"|"last-frame"|"status"|"rate-text", HTMLElement>} Others
 * @typedef {Record<"picture"|"chart", HTMLCanvasElement>} Canvases
 * @typedef {Buttons & Fields & Outputs & Others & Canvases} Elements
 */

/** @type {<Id extends keyof Elements>(id: Id) => Elements[Id]} */
const element = (id) => /** @type {any} */ (document.getElementById(id));
const socketUrl = new URL("ws", document.baseURI);
socketUrl.protocol = socketUrl.protocol.replace("http", "ws");

const connection = new Connection(socketUrl);
const sound = new Sound(showSound);
const player = new Player(fetchPicture, sound, { onPicture, onFault, onChange });
const chart = new FpsChart(element("chart"), TARGET_FPS);
const decoderName = await chooseDecoder();

/** @type {Model[]} */
let models = [];
/** @type {string|null} */
let wantedName = null; // stays the user's choice while the model is away
let isRateChosen = false;
/** @type {Picture|null} */
let picture = null; // the one on the screen
let pictureName = "";
/** @type {number[]} */
let shownAtMs = [];
let playedS = 0;
/** @type {Record<"connection"|"frame"|"models", string|null>} */
const problems = { connection: null, frame: null, models: null }; // the first one is told
let faultTimer = 0;

// ---- pictures

/**
 * @param {string} modelName
 * @param {number} frameId
 */
async function fetchPicture(modelName, frameId) {
  if (!element("whole").checked) {
    const jpeg = await connection.request(encodeFrameRequest(modelName, frameId));
    return Picture.decode(decoderName, { jpeg });
  }
  /** @type {[InferenceAnswer, FullFrameAnswer]} */
  const [crop, source] = await Promise.all([
    connection.request(encodeInferenceRequest(modelName, frameId)),
    connection.request(encodeFullFrameRequest(modelName, frameId)),
  ]);
  return Picture.decode(decoderName, {
    jpeg: decodeBase64(crop.prediction_data),
    fullFrameJpeg: decodeBase64(source.frame_data),
    place: { bounds: crop.bounds, faceSize: wantedModel()?.face_size ?? 1 },
  });
}

/**
 * @param {Picture} newPicture
 * @param {number} frameId
 */
function onPicture(newPicture, frameId) {
  const canvas = element("picture");
  newPicture.draw(canvas);
  picture?.close();
  picture = newPicture;
  pictureName = `${wantedName}_${String(frameId).padStart(6, "0")}.jpg`;
  if (player.isPlaying) shownAtMs.push(performance.now());
  else canvas.setAttribute("aria-label", `${wantedName}, frame ${frameId}`);
  canvas.dataset.frame = String(frameId);
  setOutput("shown", player.shown, player.shown.toLocaleString("en"));
  const { width, height, byteCount } = picture;
  setOutput("size", byteCount, `${width} × ${height}, ${(byteCount / 1000).toFixed(1)} kB`);
  element("download").disabled = false;
}

/** @param {any} error */
function onFault(error) {
  if (error instanceof ConnectionLost) return; // the connection tells it itself
  tell("frame", error.message);
  if (error.requestId) console.warn(`${error.message} [${error.requestId}]`); // as in the bridge's log
  clearTimeout(faultTimer);
  faultTimer = setTimeout(() => tell("frame", null), FAULT_MS);
  if (error.code === "unknown_model" || error.code === "invalid_frame_id") refreshModels();
}

// ---- models

async function refreshModels() {
  if (!isSeen(TAB)) return;
  try {
    const answer = await fetchWithToken("models", { signal: AbortSignal.timeout(MODELS_LIMIT_MS) });
    const body = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(`${body.code}: ${body.error}`), { code: body.code });
    setModels(body.models);
    player.retry();
  } catch (error) {
    if (error.code === "unauthorized") tell("connection", `${error.message}; end this page's address with #token=TOKEN`);
    tell("models", connection.isOpen ? `The list of avatars did not come: ${error.message}` : null);
  }
}

/** @param {Model[]} newModels */
function setModels(newModels) {
  if (JSON.stringify(newModels) !== JSON.stringify(models) || newModels.length === 0) {
    models = newModels;
    if (!wantedName && models.length > 0) wantedName = models[0].name;
    fillModelSelect();
    useWantedModel();
  }
  sound.load(wantedModel());
  const isGone = wantedName && !wantedModel();
  if (isGone) tell("frame", null); // it failed for this reason
  tell("models", isGone ? `${wantedName} is not loaded any more; waiting for it to return` : null);
}

function wantedModel() {
  return models.find(({ name }) => name === wantedName) ?? null;
}

function fillModelSelect() {
  const names = models.map(({ name }) => name);
  const options = names.map((name) => new Option(name, name));
  if (wantedName && !names.includes(wantedName)) {
    options.unshift(new Option(`${wantedName} (not loaded)`, wantedName));
    options[0].disabled = true;
  }
  element("model").replaceChildren(...(options.length > 0 ? options : [new Option("None loaded", "")]));
  element("model").value = wantedName ?? "";
  element("model").disabled = models.length === 0;
}

function useWantedModel() {
  const model = wantedModel();
  element("empty").hidden = models.length > 0 || picture !== null;
  const last = Math.max((model?.frame_count ?? 0) - 1, 0);
  for (const field of [element("slider"), element("frame")]) field.max = String(last);
  element("last-frame").textContent = `/ ${last}`;
  for (const id of PLAYBACK) element(id).disabled = !model;
  player.setModel(model);
  if (model) setRate(isRateChosen ? element("rate").valueAsNumber : model.fps);
}

/** @param {string} name */
function chooseModel(name) {
  wantedName = name;
  fillModelSelect(); // one that is gone leaves the list once it is not chosen
  useWantedModel();
  sound.load(wantedModel());
  tell("models", null);
}

// ---- connection

connection.addEventListener("open", () => {
  setLink("open", "Connected");
  tell("connection", null);
  player.setConnected(isSeen(TAB));
  refreshModels();
});

connection.addEventListener("away", (event) => {
  const { host, retryInMs, reason } = /** @type {CustomEvent<Away>} */ (event).detail;
  setLink("away", "Reconnecting");
  const why = reason ? ` (${reason})` : "";
  tell("connection", `The bridge at ${host} does not answer${why}; trying again in ${retryInMs / 1000} s`);
  player.setConnected(false);
  refreshModels(); // whose answer says why, where the bridge refuses a WebSocket
});

/**
 * @param {"open"|"away"} state
 * @param {string} text
 */
function setLink(state, text) {
  element("link").dataset.state = state;
  element("link").textContent = text;
}

// ---- what the page tells

/**
 * @param {keyof problems} subject
 * @param {string|null} text What is wrong, or null once nothing is.
 */
function tell(subject, text) {
  problems[subject] = text;
  showStatus();
}

function showStatus() {
  const problem = problems.connection ?? problems.frame ?? problems.models;
  const doing = player.isPlaying ? `Playing ${wantedName}` : "Ready";
  const text = problem ?? (models.length > 0 ? doing : "Waiting for an avatar");
  const status = element("status");
  if (status.textContent !== text) status.textContent = text; // an equal text would be read out again
  status.dataset.level = problem ? "warn" : "info";
}

function onChange() {
  const { position, isPlaying } = player;
  element("slider").value = String(position);
  if (document.activeElement !== element("frame")) element("frame").value = String(position);
  element("play").dataset.playing = String(isPlaying);
  element("play-text").textContent = isPlaying ? "Pause" : "Play";
  setOutput("dropped", player.dropped, player.dropped.toLocaleString("en"));
  showStatus();
}

function sample() {
  const { averageMs } = player.pace;
  if (averageMs !== null) setOutput("latency", averageMs.toFixed(2), averageMs.toFixed(averageMs < 10 ? 1 : 0));
  setOutput("in-flight", player.inFlight, String(player.inFlight));
  if (!player.isPlaying || !isSeen(TAB)) return;
  const nowMs = performance.now();
  shownAtMs = shownAtMs.filter((shownMs) => shownMs > nowMs - FPS_WINDOW_MS);
  const fps = shownAtMs.length / (FPS_WINDOW_MS / 1000);
  playedS += SAMPLE_MS / 1000;
  chart.add(playedS, fps);
  setOutput("fps", fps, fps.toFixed(0));
  const label = `Now ${fps.toFixed(0)} frames per second, target ${TARGET_FPS}`;
  element("chart").setAttribute("aria-label", label);
}

/**
 * @param {keyof Outputs} id
 * @param {number|string} value For programs.
 * @param {string} text For people.
 */
function setOutput(id, value, text) {
  element(id).dataset.value = String(value);
  element(id).textContent = text;
}

// ---- controls

function togglePlay() {
  sound.unlock();
  if (player.isPlaying) player.pause();
  else player.play();
  shownAtMs = [];
}

/** @param {number} fps The model's own, or a whole number that was chosen. */
function setRate(fps) {
  element("rate").value = String(Math.round(fps));
  const ownFps = wantedModel()?.fps ?? fps;
  player.setFps(Math.round(fps) === Math.round(ownFps) ? ownFps : fps); // the slider has whole numbers only
  showSound();
}

function showSound() {
  showSpeaker(element("sound"), sound);
  const silence = sound.exists && !player.isOwnRate ? ", without sound" : "";
  element("rate-text").textContent = `${Number(player.fps.toFixed(2))} fps${silence}`;
}

function seekToField() {
  const { valueAsNumber: frameId, max } = element("frame");
  if (Number.isNaN(frameId)) return;
  player.seek(Math.min(Math.max(Math.round(frameId), 0), Number(max)));
}

function download() {
  if (!picture) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([picture.jpeg], { type: "image/jpeg" }));
  link.download = pictureName;
  link.click();
  URL.revokeObjectURL(link.href);
}

function toggleFullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else element("stage").requestFullscreen();
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || element("play").disabled || !isSeen(TAB)) return;
  /** @type {Record<string, () => void>} */
  const actions = {
    ArrowLeft: () => player.step(-1),
    ArrowRight: () => player.step(1),
    " ": togglePlay,
    m: () => element("sound").click(), // which does nothing while there is no sound
  };
  const action = actions[event.key];
  // what has the focus uses these keys itself: fields and lists all of them, buttons the space bar
  const users = event.key === " " ? "button, select, input" : "input, select";
  if (!action || (event.target instanceof Element && event.target.closest(users))) return;
  event.preventDefault();
  action();
}

element("play").addEventListener("click", togglePlay);
element("previous").addEventListener("click", () => player.step(-1));
wireSpeaker(element("sound"), sound);
element("next").addEventListener("click", () => player.step(1));
element("slider").addEventListener("input", () => player.seek(element("slider").valueAsNumber));
element("frame").addEventListener("input", seekToField);
element("frame").addEventListener("blur", onChange);
element("model").addEventListener("change", () => chooseModel(element("model").value));
element("rate").addEventListener("input", () => {
  isRateChosen = true;
  setRate(element("rate").valueAsNumber);
});
element("whole").addEventListener("change", () => player.refresh());
element("download").addEventListener("click", download);
element("full-screen").addEventListener("click", toggleFullScreen);
element("full-screen").hidden = !document.fullscreenEnabled;
document.addEventListener("keydown", onKey);
document.addEventListener("tabchange", () => {
  player.setConnected(connection.isOpen && isSeen(TAB)); // nobody sees, so nobody shall hear either
  refreshModels();
});
addEventListener("focus", refreshModels);
addEventListener("online", () => connection.connect());

setOutput("decoder", decoderName, decoderName === "ImageDecoder" ? "WebCodecs ImageDecoder" : decoderName);
for (const id of [...PLAYBACK, /** @type {const} */ ("download")]) element(id).disabled = true;
setInterval(refreshModels, REFRESH_MS);
setInterval(sample, SAMPLE_MS);
connection.connect();
