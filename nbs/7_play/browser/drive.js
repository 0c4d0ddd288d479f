// The page "Drive in your browser": the dot under the reader's actions, and the model's rollout.
import { Client, manifest, megabytes } from './client.js';
import { Room } from './room.js';
import { move, render } from './world.js';

const page = document.getElementById('drive');
const $ = name => page.querySelector(`[data-part="${name}"]`);
const still = matchMedia('(prefers-reduced-motion: reduce)');
const LENGTH = 1.5, PRESS = 4, TICK = 70;             // pixels, actions of a press, milliseconds

let facts, client, world, predicted;
let ready = false;                                    // is there a rollout to go on with?
let path = [], rollout = [], seen = [];               // positions; numbers of the encoded frames
let held = null;                                      // () => direction, while something is held
let driving = false, job = 0;
const state = { layout: null, start: [14, 44] };

function say(text) { $('status').textContent = text; }
const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
const entry = () => facts.models.find(m => m.name === $('model').value);

// drawing

function drawWorld(r) {
  r.line(path.flat(), { color: facts.colors.dot, width: 0.7 });
  r.marks(path.at(-1) ?? state.start, { color: facts.colors.dot, radius: 1.6, rim: '#fff' });
}

function drawRollout(r) {
  const { imagined, muted } = facts.colors, end = rollout.at(-1);
  if (!end) return;
  r.line(path.flat(), { color: muted, width: 0.3, dash: [0.8, 0.8] });
  r.marks(rollout.flat(), { color: imagined, radius: 0.45 });
  r.ring(end, apart(end, path.at(-1)), { color: muted, dash: [0.8, 0.8] });
  r.marks(end, { color: imagined, radius: 1.7, shape: 'diamond', rim: '#fff' });
}

/** The distance between the dot and the rollout after every action; dashed: a frame encoded. */
function drawErrors() {
  const canvas = $('errors'), ratio = window.devicePixelRatio || 1, pen = canvas.getContext('2d');
  const width = canvas.clientWidth, height = canvas.clientHeight, { colors } = facts;
  [canvas.width, canvas.height] = [width * ratio, height * ratio];
  pen.scale(ratio, ratio);
  pen.fillStyle = '#fff';
  pen.fillRect(0, 0, width, height);
  pen.font = '12px system-ui, sans-serif';
  pen.fillStyle = colors.wall;
  pen.fillText('distance in pixels; dashed: frame encoded', 8, 16);
  const far = rollout.map((p, t) => apart(p, path[t])), most = Math.max(10, ...far);
  const x = t => 34 + (width - 44) * t / Math.max(40, far.length - 1);
  const y = d => height - 10 - (height - 38) * d / most;
  pen.fillText(most.toFixed(0), 8, y(most) + 4);
  pen.fillText('0', 8, y(0) + 4);
  const stroke = (points, color, dash) => {
    pen.strokeStyle = color;
    pen.lineWidth = 1.6;
    pen.setLineDash(dash);
    pen.beginPath();
    for (const p of points) pen.lineTo(...p);
    pen.stroke();
  };
  for (const t of seen) stroke([[x(t), y(0)], [x(t), y(most)]], colors.door, [4, 4]);
  stroke(far.map((d, t) => [x(t), y(d)]), colors.wall, []);
}

function paint() {
  world.paint();
  predicted.paint();
  drawErrors();
  if (rollout.length && rollout.length === path.length) {
    const d = apart(rollout.at(-1), path.at(-1)).toFixed(1);
    $('count').textContent = `${path.length - 1} actions; the rollout is ${d} pixels off`;
  }
}

// what happens

/** Begin at the start, with the model's look at that frame. */
async function begin() {
  const mine = ++job;
  held = null;
  path = [[...state.start]];
  rollout = [];
  seen = [];
  ready = false;
  if (client) {
    const image = render(path[0], state.layout, facts.rooms);
    const read = await client.call('see', { image });
    if (mine !== job) return;
    rollout = [[...read]];
    ready = true;
  }
  paint();
}

/** Encode the current frame: the rollout goes on from there. */
async function observe() {
  if (!ready) return;
  const mine = job, image = render(path.at(-1), state.layout, facts.rooms);
  const read = await client.call('see', { image });
  if (mine !== job) return;
  rollout[rollout.length - 1] = [...read];
  seen.push(rollout.length - 1);
  paint();
  say('The frame is encoded; the rollout continues from it.');
}

/** One action in the world, and the same in the model. */
async function act([dx, dy]) {
  const mine = job, norm = Math.hypot(dx, dy);
  if (!norm) return;
  const action = [LENGTH * dx / norm, LENGTH * dy / norm];
  const to = move(path.at(-1), action, state.layout, facts.rooms);
  const read = await client.call('predict', { actions: Float32Array.from(action) });
  if (mine !== job) return;
  path.push(to);
  rollout.push([...read]);
  paint();
}

/** Act as long as something is held. */
async function drive() {
  if (driving || !ready) return;
  driving = true;
  while (held) {
    const tick = new Promise(resolve => { setTimeout(resolve, TICK); });
    await act(held());
    await tick;
  }
  driving = false;
  say($('count').textContent);
}

/** One press: a few actions in a row. */
async function press(direction) {
  if (driving || !ready) return;
  driving = true;
  for (let i = 0; i < PRESS; i++) await act(direction);
  driving = false;
  say($('count').textContent);
}

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
               a: [-1, 0], d: [1, 0], w: [0, -1], s: [0, 1] };

function listenToKeys(box) {
  const down = new Set();
  const direction = () => [...down].reduce(([x, y], k) => [x + KEYS[k][0], y + KEYS[k][1]], [0, 0]);
  box.onkeydown = event => {
    if (event.target !== box || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === ' ') observe();
    else if (!(event.key in KEYS)) return;
    else if (still.matches) press(KEYS[event.key]);
    else {
      down.add(event.key);
      held = direction;
      drive();
    }
    event.preventDefault();
  };
  box.onkeyup = event => {
    down.delete(event.key);
    if (!down.size) held = null;
  };
  box.onblur = () => {
    down.clear();
    held = null;
  };
}

/** Press and hold in the room: the dot heads for the pointer. */
function listenToPointer(box) {
  let target = null;
  const towards = () => {
    const [x, y] = path.at(-1), way = [target[0] - x, target[1] - y];
    return Math.hypot(...way) < LENGTH ? [0, 0] : way;
  };
  box.onpointerdown = event => {
    if (event.target.closest('.handle')) return;
    box.setPointerCapture(event.pointerId);
    target = world.at(event);
    if (still.matches) press(towards());
    else {
      held = towards;
      drive();
    }
  };
  box.onpointermove = event => { if (held === towards) target = world.at(event); };
  box.onlostpointercapture = () => { if (held === towards) held = null; };
}

function listenToPad() {
  for (const button of page.querySelectorAll('[data-way]')) {
    const way = button.dataset.way.split(',').map(Number);
    let byPointer = false;
    button.onpointerdown = () => {
      byPointer = !still.matches;
      if (!byPointer) return;
      held = () => way;
      drive();
    };
    button.onpointerup = button.onpointerleave = button.onpointercancel = () => {
      if (byPointer) held = null;
    };
    button.onclick = () => {
      if (!byPointer) press(way);
      byPointer = false;
    };
  }
}

async function load() {
  $('start').disabled = true;
  say('Loading the runtime and the model.');
  try {
    client ??= new Client();
    await client.call('load', { entry: entry() });
  } catch (error) {
    say(`That did not work: ${error.message}`);
    client = null;
    $('start').disabled = false;
    return;
  }
  $('start').hidden = true;
  for (const name of ['reset', 'pad']) $(name).hidden = false;
  await begin();
  world.box.focus();
  say('The model has seen the first frame. Drive.');
}

function describe() {
  const { text, bytes } = entry();
  $('about').textContent = `${text} ${megabytes(bytes)}.`;
  $('start').textContent = `Start: load ${megabytes(facts.runtime + bytes)}`;
}

async function open() {
  facts = await manifest(say);
  if (!facts) return;
  const { rooms, colors } = facts;
  state.layout = { wall_x: rooms.wall_x, door_y: rooms.door_y };
  for (const m of facts.models) $('model').add(new Option(m.name, m.name));
  for (const e of page.querySelectorAll('[data-color]')) {
    e.style.setProperty('--ink', colors[e.dataset.color]);
  }
  const changed = done => {
    path = [[...state.start]];
    if (done) begin();
    else if (predicted) paint();
  };
  const handles = ['wall', 'door', 'start'];
  world = new Room($('world'), { rooms, colors, state, handles, changed, draw: drawWorld });
  predicted = new Room($('rollout'), { rooms, colors, state, draw: drawRollout });
  new ResizeObserver(drawErrors).observe($('errors'));
  listenToKeys($('world'));
  listenToPointer($('world'));
  listenToPad();
  $('start').onclick = load;
  $('reset').onclick = begin;
  $('observe').onclick = observe;
  $('model').onchange = () => {
    describe();
    if (client) load();
  };
  describe();
  await begin();
  $('start').disabled = false;
  say('Nothing is loaded yet.');
  page.classList.add('ready');
}

open();
