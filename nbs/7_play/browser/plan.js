// The page "Plan in your browser": a task, the iterations of a plan, and the agent on its way.
import { Client, manifest, megabytes } from './client.js';
import { Room } from './room.js';
import { move, render } from './world.js';
import { limitNorm } from './search.js';

const page = document.getElementById('plan');
const $ = name => page.querySelector(`[data-part="${name}"]`);
const still = matchMedia('(prefers-reduced-motion: reduce)');
const frame = ms => new Promise(resolve => { setTimeout(resolve, ms); });

let facts, client, room;                              // the manifest, the worker, the drawing
let loaded = null;                                    // name of the model in the worker
let seed = 0, job = 0;                                // a newer job ends an older one
let agentFor = null;                                  // the job whose task the worker's agent has
let iterations = [], path = [], next = [];            // of the last plan; positions; actions left
const state = { layout: null, start: [14, 44], goal: [52, 46] };

// what is said

function say(text) { $('status').textContent = text; }
const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
const here = () => path.at(-1);
const steps = () => path.length - 1;
const plural = (n, word) => `${n} ${word}${n === 1 ? '' : 's'}`;

// settings

const entry = () => facts.models.find(m => m.name === $('model').value);

/** The planner of the manifest with what the reader has changed. */
function planner() {
  const s = facts.planner, samples = Number($('samples').value);
  const elites = Math.max(2, Math.round(samples * s.num_elites / s.num_samples));
  return { ...s, planner: $('planner').value, reduce: $('reduce').value,
           num_samples: samples, num_elites: elites, stuck_noise: $('stuck').checked,
           first_iterations: Number($('rounds').value),
           temperature: Number($('temperature').value) };
}

/** Options of a menu, with the planner's own value among them and chosen. */
function fill(name, values, own) {
  for (const v of [...new Set([...values, own])].sort((a, b) => a - b)) {
    $(name).add(new Option(v, v, v === own, v === own));
  }
}

// drawing

const cheapest = it => it.cost[it.elites[0]].toFixed(1);

/** Plan number i of an iteration, as a flat list that begins where the dot is. */
function plan(it, i) {
  const length = 2 * it.points;
  return [...it.from, ...it.paths.subarray(length * i, length * (i + 1))];
}

function drawRoom(r) {
  const { colors } = facts, it = iterations[Number($('iteration').value) - 1];
  r.ring(state.goal, facts.rooms.goal_radius, { color: colors.goal, dash: [0.8, 0.8] });
  if (it) {
    const best = new Set(it.elites);
    for (let i = 0; i < it.cost.length; i++) {
      if (!best.has(i)) r.line(plan(it, i), { color: colors.muted, width: 0.18, alpha: 0.5 });
    }
    for (const i of it.elites) {
      r.line(plan(it, i), { color: colors.elite, width: 0.28, alpha: 0.8 });
      r.marks(plan(it, i).slice(-2), { color: colors.elite, radius: 0.9, shape: 'triangle' });
    }
    r.marks(it.mean, { color: colors.imagined, radius: 0.42 });
    const end = it.mean.slice(-2);
    r.marks(end, { color: colors.imagined, radius: 1.4, shape: 'diamond', rim: '#fff' });
  }
  r.line(path.flat(), { color: colors.dot, width: 0.7 });
  r.marks(state.goal, { color: colors.goal, radius: 2.4, shape: 'star', rim: '#fff' });
  r.marks(here() ?? state.start, { color: colors.dot, radius: 1.4, rim: '#fff' });
}

/** The costs of every sample (dots) and of the elites (triangles), iteration by iteration. */
function drawCosts() {
  const canvas = $('costs'), ratio = window.devicePixelRatio || 1, pen = canvas.getContext('2d');
  const width = canvas.clientWidth, height = canvas.clientHeight, { colors } = facts;
  [canvas.width, canvas.height] = [width * ratio, height * ratio];
  pen.scale(ratio, ratio);
  pen.fillStyle = '#fff';
  pen.fillRect(0, 0, width, height);
  pen.font = '12px system-ui, sans-serif';
  pen.fillStyle = colors.wall;
  pen.fillText('cost of the plans', 8, 16);
  if (!iterations.length) return;
  const all = iterations.flatMap(it => Array.from(it.cost)).filter(Number.isFinite);
  const least = Math.min(...all), most = Math.max(...all, least + 1e-6);
  const shown = Number($('iteration').value);
  const places = Math.max(iterations[0].rounds, 6), column = (width - 60) / places;
  const y = c => height - 26 - (height - 54) * (c - least) / (most - least);
  const text = c => (c < 100 ? c.toPrecision(3) : c.toFixed(0));
  pen.fillText(text(most), 8, 36);
  pen.fillText(text(least), 8, height - 24);
  iterations.forEach((it, j) => {
    const middle = 52 + (j + 0.5) * column, best = new Set(it.elites);
    if (j + 1 === shown) {
      pen.fillStyle = '#eef1f5';
      pen.fillRect(middle - column / 2, 22, column, height - 22);
    }
    pen.fillStyle = colors.wall;
    pen.fillText(j + 1, middle - 3 * String(j + 1).length, height - 6);
    it.cost.forEach((c, i) => {
      const x = middle + 0.55 * column * (i / it.cost.length - 0.5);
      pen.fillStyle = best.has(i) ? colors.elite : colors.muted;
      pen.beginPath();
      if (best.has(i)) {
        for (const [a, b] of [[0, -3.5], [3.2, 2.5], [-3.2, 2.5]]) pen.lineTo(x + a, y(c) + b);
      } else pen.arc(x, y(c), 1.1, 0, 7);
      pen.fill();
    });
  });
}

function paint() {
  const slider = $('iteration'), n = iterations.length;
  slider.max = Math.max(1, n);
  slider.disabled = n < 2;
  const it = iterations[slider.value - 1];
  $('number').textContent = n ? `${slider.value} of ${it.rounds}; lowest cost ${cheapest(it)}` : '';
  room.paint();
  drawCosts();
}

// what happens

/** End what runs, and begin again at the start. */
function reset(text) {
  job++;
  client?.call('stop');
  iterations = [];
  next = [];
  path = [[...state.start]];
  busy(false);
  paint();
  if (text) say(text);
}

function busy(yes) {
  page.classList.toggle('busy', yes);
  $('walk').textContent = yes ? 'Pause' : 'Let it walk';
  $('walk').setAttribute('aria-pressed', yes);
}

/** One plan from where the dot is; false if something newer has ended it. */
async function search(mine) {
  const image = render(here(), state.layout, facts.rooms);
  if (loaded !== entry().name) {
    say(`Loading ${entry().name}: ${megabytes(entry().bytes)}.`);
    loaded = null;
    agentFor = null;
    const { name } = entry();
    await client.call('load', { entry: entry() });
    loaded = name;
    if (mine !== job) return false;
  }
  if (agentFor !== taskKey()) {
    const goal = render(state.goal, state.layout, facts.rooms);
    agentFor = null;
    await client.call('begin', { planner: planner(), seed: seed++, image: goal });
    if (mine !== job) return false;
    agentFor = taskKey();
  }
  const from = [...here()], left = Math.max(1, facts.rooms.max_steps - steps());
  const seen = [];
  const done = await client.call('act', { image, left, draw: true }, it => {
    if (mine !== job) return;
    seen.push({ ...it, from });
    if (still.matches && it.j + 1 < it.rounds) return;
    iterations = [...seen];
    $('iteration').max = seen.length;
    $('iteration').value = seen.length;
    paint();
  });
  if (mine !== job || !done) return false;
  const { actions } = done;
  next = Array.from({ length: actions.length / 2 }, (_, i) => actions.slice(2 * i, 2 * i + 2));
  if (done.stuck) say('The image has not changed since the last look: five random actions.');
  return true;
}

/** An agent keeps its last plan as long as nothing of its task has changed. */
const taskKey = () => JSON.stringify([loaded, planner(), state, resets]);
let resets = 0;                                       // each begins with a new agent

/** Carry out the planned actions; true at the goal or at the end of the episode. */
async function walk(mine) {
  while (next.length && !over()) {
    const action = limitNorm(Float32Array.from(next.shift()), facts.rooms.max_norm);
    path.push(move(here(), action, state.layout, facts.rooms));
    paint();
    if (!still.matches) await frame(60);
    if (mine !== job) return true;
  }
  return over();
}

const arrived = () => apart(here(), state.goal) < facts.rooms.goal_radius;
const over = () => arrived() || steps() >= facts.rooms.max_steps;

function verdict() {
  const far = `${apart(here(), state.goal).toFixed(1)} pixels from the goal`;
  if (arrived()) say(`At the goal after ${plural(steps(), 'step')}: ${far}.`);
  else if (over()) say(`Not at the goal after ${plural(steps(), 'step')}: ${far}.`);
  else if (next.length) {
    const it = iterations.at(-1);
    say(`Planned in ${plural(it.rounds, 'iteration')}, lowest cost ${cheapest(it)}. `
      + `${plural(steps(), 'step')} so far, ${far}.`);
  } else say(`${plural(steps(), 'step')} so far, ${far}.`);
}

/** Run `work` until it ends or something newer begins, and say what went wrong. */
async function run(work) {
  const mine = ++job;
  client.call('stop');
  busy(true);
  try { await work(mine); }
  catch (error) { if (mine === job) say(`That did not work: ${error.message}`); }
  if (mine === job) busy(false);
}

async function onlySearch(mine) {
  say('Planning.');
  if (await search(mine)) verdict();
}

async function oneStep(mine) {
  if (!over() && (next.length || await search(mine))) await walk(mine);
  if (mine === job) verdict();
}

async function allSteps(mine) {
  while (mine === job && !over()) {
    if (!next.length && !await search(mine)) return;
    await walk(mine);
  }
  if (mine === job) verdict();
}

/** The task or a setting has changed: begin anew, and plan at once if the model is here. */
function changed(done) {
  resets++;
  reset();
  if (!client) return;
  if (done && !still.matches) run(onlySearch);
  else say('The task has changed. Press "Plan".');
}

function describe() {
  const m = entry();
  $('about').textContent = `${m.text} ${megabytes(m.bytes)}.`;
  $('start').textContent = `Start: load ${megabytes(facts.runtime + m.bytes)}`;
}

async function start() {
  $('start').disabled = true;
  say('Loading the runtime and the model.');
  client = new Client();
  await run(async mine => {
    await client.call('load', { entry: entry() });
    loaded = entry().name;
    $('start').hidden = true;
    for (const name of ['search', 'walk', 'step', 'reset']) $(name).hidden = false;
    $('walk').hidden = still.matches;
    $('search').focus();
    say('The model is here. Press "Plan", or drag something.');
    if (!still.matches) await onlySearch(mine);
  });
  if (!loaded) {
    client = null;
    $('start').disabled = false;
  }
}

async function open() {
  facts = await manifest(say);
  if (!facts) return;
  const { rooms, colors, planner: own } = facts;
  state.layout = { wall_x: rooms.wall_x, door_y: rooms.door_y };
  path = [[...state.start]];
  for (const m of facts.models) $('model').add(new Option(m.name, m.name));
  fill('samples', [10, 20, 50, 100, 200, 500], own.num_samples);
  fill('rounds', [1, 2, 4, 8, 12, 20], own.first_iterations);
  fill('temperature', [0.1, 0.5, 2, 5, 20], own.temperature);
  $('planner').value = own.planner;
  $('reduce').value = own.reduce;
  $('stuck').checked = own.stuck_noise;
  for (const e of page.querySelectorAll('[data-color]')) {
    e.style.setProperty('--ink', colors[e.dataset.color]);
  }
  const handles = ['wall', 'door', 'start', 'goal'];
  room = new Room($('room'), { rooms, colors, state, handles, changed, draw: drawRoom });
  new ResizeObserver(drawCosts).observe($('costs'));
  $('start').onclick = start;
  $('search').onclick = () => run(onlySearch);
  $('step').onclick = () => run(oneStep);
  $('walk').onclick = () => {
    if (!page.classList.contains('busy')) run(allSteps);
    else {
      job++;
      client.call('stop');
      busy(false);
      verdict();
    }
  };
  $('reset').onclick = () => {
    resets++;
    reset('Back at the start.');
  };
  $('iteration').oninput = paint;
  $('model').onchange = () => {
    describe();
    changed(true);
  };
  for (const name of ['planner', 'reduce', 'samples', 'rounds', 'temperature', 'stuck']) {
    $(name).onchange = () => changed(true);
  }
  describe();
  paint();
  $('start').disabled = false;
  say('Nothing is loaded yet. Everything can already be dragged.');
  page.classList.add('ready');
}

open();
