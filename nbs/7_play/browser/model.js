// A world model in ONNX Runtime Web: images to embeddings, plans to costs and decoded positions.
// scripts/browser.py writes the two graphs of a model, and says there what goes in and out.
import * as ort from './runtime/ort.wasm.min.mjs';

const here = name => new URL(name, import.meta.url).href;
ort.env.wasm.wasmPaths = here('runtime/');
ort.env.wasm.numThreads = 1;                          // more would need headers of the server
ort.env.logLevel = 'error';

/** The runtime's program, which is stored in a third of its size. */
async function unpacked(name) {
  const bytes = new Uint8Array(await (await fetch(here(name))).arrayBuffer());
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;   // the server has unpacked it
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const floats = (data, ...shape) => new ort.Tensor('float32', Float32Array.from(data), shape);

/** One graph of a model. Calls come one after the other, as the runtime wants it. */
const open = file => ort.InferenceSession.create(here(`models/${file}`), {
  executionProviders: ['wasm'],
});

export class Model {
  /** A model of the manifest. */
  static async load(entry) {
    ort.env.wasm.wasmBinary ??= await unpacked('runtime/ort-wasm-simd-threaded.wasm.gz');
    const model = new Model();
    model.entry = entry;
    model.encoder = await open(entry.encoder);
    model.plans = await open(entry.plans);
    return model;
  }

  async release() {
    await this.encoder.release();
    await this.plans.release();
  }

  /** An image uint8 [2, H, W] -> its embedding [D], and the position [2] that the probe reads. */
  async encode(image) {
    const size = Math.sqrt(image.length / 2);
    const feeds = { image: new ort.Tensor('uint8', image, [1, 2, size, size]) };
    const { z, position } = await this.encoder.run(feeds);
    return { z: z.data, position: position.data };
  }

  /**
   * Roll out N plans `actions` [N, T, 2] from z0 [D]: costs [N], last embeddings [N, D], and the
   * decoded positions [N, S, 2] after the S steps in `shown` (counted from 0).
   */
  async rollout(z0, goal, actions, N, { reduce = 'sum', distance = 'euclidean', shown = [] } = {}) {
    const T = actions.length / (2 * N), D = z0.length;
    const counts = Array.from({ length: T }, (_, t) => Number(reduce === 'sum' || t === T - 1));
    const found = await this.plans.run({
      z0: floats(z0, 1, D), goal: floats(goal, 1, D), actions: floats(actions, N, T, 2),
      counts: floats(counts, T), squared: new ort.Tensor('bool', [distance === 'squared'], []),
      shown: new ort.Tensor('int64', BigInt64Array.from(shown, BigInt), [shown.length]),
    });
    return { cost: found.cost.data, z: found.z.data, position: found.position.data };
  }
}
