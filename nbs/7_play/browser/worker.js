// The worker: the model, the agent and the rollout live here, so that the page never waits.
// A page sends {id, call, ...}; the answer is {id, result} or {id, error}. While an agent plans,
// each iteration is sent as {id, iteration}. A newer `begin`, `act` or `load` ends an older plan.
import { Model } from './model.js';
import { Agent, gaussian } from './search.js';

let model, agent, goal, settings;
let turn = 0;                                         // number of the plan that may go on
let z;                                                // the rollout of the Drive page, [D]

const pause = () => new Promise(resolve => { setTimeout(resolve); });   // messages are read here
/** Every n-th of T steps, counted from 0. */
const steps = (T, n) => Array.from({ length: Math.floor(T / n) }, (_, i) => (i + 1) * n - 1);

/** What the page draws of an iteration: decoded plans [N, S, 2], and the mean's path [T, 2]. */
async function picture(step, z0, shown) {
  const { mean } = step, all = steps(mean.length / 2, 1);
  const path = await model.rollout(z0, goal, mean, 1, { shown: all });
  const { j, rounds, cost, elites, weights, paths } = step;
  return { j, rounds, cost, elites, weights, paths, points: shown.length, mean: path.position };
}

const calls = {
  async load({ entry }) {
    if (model) await model.release();
    model = null;
    model = await Model.load(entry);
  },

  /** A new task: an agent that has not planned yet, and its goal's image. */
  async begin({ planner, seed, image }) {
    settings = planner;
    agent = new Agent(planner, gaussian(seed));
    goal = (await model.encode(image)).z;
  },

  /** The next actions at this image; `draw` asks for pictures of the iterations. */
  async act({ image, left, draw, id, mine }) {
    if (mine !== turn) return null;
    const { z: z0 } = await model.encode(image);
    const shown = draw ? steps(Math.min(settings.horizon, left), 3) : [];
    let paths;
    const cost = async (actions, N) => {
      const found = await model.rollout(z0, goal, actions, N, { ...settings, shown });
      paths = found.position;
      return found.cost;
    };
    const onIteration = async step => {
      if (draw) postMessage({ id, iteration: await picture({ ...step, paths }, z0, shown) });
      await pause();
      return mine === turn;
    };
    return agent.act(image, cost, left, onIteration);
  },

  /** End a plan: that this was received has done it. */
  async stop() {},

  /** Start a rollout from an image; the probe's position. */
  async see({ image }) {
    const seen = await model.encode(image);
    ({ z } = seen);
    return seen.position;
  },

  /** Continue it by actions [T, 2]: the decoded positions after each, [T, 2]. */
  async predict({ actions }) {
    const shown = steps(actions.length / 2, 1);
    const found = await model.rollout(z, z, actions, 1, { shown });
    z = found.z;
    return found.position;
  },
};

// The runtime takes one call at a time, and `act` leaves room between its iterations: messages that
// use the model wait for the one before, which a newer turn has told to end.
let last = Promise.resolve();
onmessage = ({ data }) => {
  if (['load', 'begin', 'act', 'stop'].includes(data.call)) data.mine = ++turn;
  last = last.then(async () => {
    try { postMessage({ id: data.id, result: await calls[data.call](data) }); }
    catch (error) { postMessage({ id: data.id, error: String(error?.message ?? error) }); }
  });
};
