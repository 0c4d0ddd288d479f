// The planner: CEM and MPPI, and the agent that plans again and again. The same steps as
// jepa_tutorial/planning/cem.py, mppi.py and agent.py, for one episode, without restarts and
// without the visited-state penalty. `s` holds a planner's settings as in configs/plan_fast.yaml.
// Plans are Float32Arrays [N, T, 2], flat; a single plan is [T, 2].

/** Standard normal numbers from a seed: xoshiro128** (Blackman and Vigna) and Box and Muller. */
export function gaussian(seed) {
  const state = new Uint32Array(4), rotate = (v, k) => (v << k) | (v >>> (32 - k));
  for (let i = 0; i < 4; i++) {                       // spread the seed: splitmix32
    let v = (seed + (i + 1) * 0x9e3779b9) | 0;
    v = Math.imul(v ^ (v >>> 16), 0x21f0aaad);
    v = Math.imul(v ^ (v >>> 15), 0x735a2d97);
    state[i] = v ^ (v >>> 15);
  }
  const uniform = () => {
    const out = Math.imul(rotate(Math.imul(state[1], 5), 7), 9) >>> 0, shifted = state[1] << 9;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate(state[3], 11);
    return (out + 0.5) / 2 ** 32;                     // strictly between 0 and 1
  };
  const one = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return n => Float32Array.from({ length: n }, one);
}

/** Refuse settings that this page doesn't know, instead of ignoring them. */
function check(s) {
  if (s.restarts > 1 || s.revisit_weight > 0 || s.scale === 'relative' || s.shift_elites) {
    throw new Error('restarts, revisit_weight, scale and shift_elites are not known here');
  }
  if (s.num_elites > s.num_samples) throw new Error('more elites than samples');
}

/** Python's round: halves go to the even neighbour. */
function roundEven(v) {
  const r = Math.round(v);
  return Math.abs(v % 1) === 0.5 && r % 2 ? r - 1 : r;
}

/** Shorten actions that are longer than `longest` (null: no limit), in place. */
export function limitNorm(actions, longest) {
  if (longest === null) return actions;
  for (let i = 0; i < actions.length; i += 2) {
    const scale = longest / Math.max(Math.hypot(actions[i], actions[i + 1]), longest);
    actions[i] *= scale;
    actions[i + 1] *= scale;
  }
  return actions;
}

/** White noise [N, T, 2] turned into an autoregressive process of the same variance, in place. */
export function smoothNoise(noise, T, rho) {
  const fresh = Math.sqrt(1 - rho * rho);
  for (let i = 0; i < noise.length; i++) {
    const t = Math.floor(i / 2) % T;
    if (t > 0) noise[i] = rho * noise[i - 2] + fresh * noise[i];
  }
  return noise;
}

/** Exploration samples: correlated noise around zero, from white noise [n, T, 2]. */
export function explore(s, noise, T) {
  const rhos = [s.noise_correlation].flat(), n = noise.length / (2 * T);
  const out = noise.slice();
  let begin = 0;
  rhos.forEach((rho, i) => {
    const share = Math.floor(n / rhos.length) + (i < n % rhos.length);
    smoothNoise(out.subarray(begin * 2 * T, (begin + share) * 2 * T), T, rho);
    begin += share;
  });
  return out.map(v => s.explore_sigma * v);
}

/** The plans [N, T, 2] that one iteration tries: kept ones, exploration, and mean + std·noise. */
export function propose(s, mean, std, noise, elites = null) {
  const length = mean.length, T = length / 2, n = noise.length / length;
  const far = roundEven(s.explore_fraction * n);
  const near = noise.slice(far * length);
  if (s.proposal_correlation) smoothNoise(near, T, s.proposal_correlation);
  near.forEach((v, i) => { near[i] = mean[i % length] + std[i % length] * v; });
  const parts = [explore(s, noise.subarray(0, far * length), T), near];
  if (elites) parts.unshift(elites);
  if (s.keep_elites) parts.unshift(mean);
  const out = new Float32Array(noise.length);
  let at = 0;
  for (const part of parts) {                         // what doesn't fit is left out
    out.set(part.subarray(0, out.length - at), at);
    at = Math.min(at + part.length, out.length);
  }
  return limitNorm(out, s.max_norm);
}

/** Weights of the elites, whose costs come cheapest first: equal in CEM, a softmax in MPPI. */
export function weights(s, cost) {
  if (s.planner === 'cem') return cost.map(() => 1 / cost.length);
  const w = cost.map(c => Math.exp((cost[0] - c) / s.temperature));
  const sum = w.reduce((a, b) => a + b);
  return w.map(v => v / sum);
}

/** The next proposal {mean, std}, fitted to the elites: their numbers, and their weights. */
export function update(s, actions, cost) {
  const safe = Array.from(cost, c => (Number.isNaN(c) ? Infinity : c));
  const elites = safe.map((_, i) => i).sort((a, b) => safe[a] - safe[b]).slice(0, s.num_elites);
  const w = weights(s, elites.map(i => safe[i]));
  const length = actions.length / safe.length;
  const mean = new Float32Array(length), std = new Float32Array(length);
  const K = elites.length, scale = s.unbiased ? K / Math.max(K - 1, 1) : 1;
  for (let j = 0; j < length; j++) {
    let m = 0, v = 0;
    elites.forEach((i, k) => { m += w[k] * actions[i * length + j]; });
    elites.forEach((i, k) => { v += w[k] * (actions[i * length + j] - m) ** 2; });
    mean[j] = m;
    std[j] = Math.sqrt(scale * v);
  }
  return { mean, std, elites, weights: w };
}

/** Plans number `index` of `actions`, one after the other. */
export function take(actions, index, length) {
  const out = new Float32Array(index.length * length);
  index.forEach((i, k) => out.set(actions.subarray(i * length, (i + 1) * length), k * length));
  return out;
}

/** Which plan is carried out: the mean, the cheapest, or an elite drawn by its weight. */
function chosen(s, actions, up, normal) {
  if (s.select === 'mean') return up.mean;
  let k = 0;
  if (s.select === 'elite') {                         // the largest of log w + Gumbel noise
    const gumbel = w => Math.log(w) - Math.log((normal(1)[0] ** 2 + normal(1)[0] ** 2) / 2);
    const keys = up.weights.map(gumbel);
    k = keys.indexOf(Math.max(...keys));
  }
  return take(actions, [up.elites[k]], up.mean.length);
}

/**
 * Search for a cheap plan of `horizon` actions.
 * `cost` is an async function of plans [N, T, 2] and N, which gives N numbers; `normal` gives
 * n standard normal numbers; `onIteration` hears of each iteration, and ends the search with false.
 */
export async function plan(s, cost, normal, horizon, options = {}) {
  check(s);
  const { init, sigma, iterations, onIteration } = options;
  const length = 2 * horizon, N = s.num_samples, rounds = iterations ?? s.iterations;
  let mean = new Float32Array(length), elites = null, step;
  if (init) mean.set(init.subarray(0, length));       // cut, or filled with zeros
  let std = new Float32Array(length).fill((init && sigma) || s.sigma);
  for (let j = 0; j < rounds; j++) {
    const actions = propose(s, mean, std, normal(N * length), elites);
    step = { j, rounds, actions, cost: await cost(actions, N) };
    Object.assign(step, update(s, actions, step.cost));
    ({ mean, std } = step);
    elites = take(actions, step.elites.slice(0, s.keep_elites), length);
    if (onIteration && await onIteration(step) === false) return null;
  }
  return { actions: chosen(s, step.actions, step, normal), mean, std, last: step };
}

/** Plans, gives the first actions, and begins its next plan with the rest of this one. */
export class Agent {
  constructor(settings, normal) {
    Object.assign(this, { s: settings, normal, plan: null, lastImage: null });
  }

  /** The next actions [k, 2] at this image, and whether they are random; null if it was stopped. */
  async act(image, cost, left, onIteration) {
    const s = this.s, warm = s.warm_start && this.plan;
    const rounds = warm ? s.iterations : s.first_iterations ?? s.iterations;
    const how = { iterations: rounds, onIteration };
    if (warm) {
      const rest = s.select === 'best' ? this.plan.actions : this.plan.mean;
      Object.assign(how, { init: rest.subarray(2 * s.execute_steps), sigma: s.warm_sigma });
    }
    const found = await plan(s, cost, this.normal, Math.min(s.horizon, left), how);
    if (!found) return null;
    this.plan = found;
    const actions = found.actions.slice(0, 2 * s.execute_steps);
    return s.stuck_noise ? this.unstick(image, actions) : { actions, stuck: false };
  }

  /** The actions, but smooth noise if the image is the one of the last look. */
  unstick(image, actions) {
    const noise = this.normal(actions.length), last = this.lastImage;
    const stuck = last !== null && image.every((v, i) => v === last[i]);
    this.lastImage = image.slice();
    if (!stuck) return { actions, stuck };
    const other = explore(this.s, noise, actions.length / 2);
    return { actions: limitNorm(other, this.s.max_norm), stuck };
  }
}
