// The page's side of worker.js: calls that return promises, and what a browser must have.

/** What this browser lacks, in words; empty if it has everything. */
function lacking() {
  if (typeof WebAssembly !== 'object') return 'WebAssembly';
  if (typeof DecompressionStream !== 'function') return 'DecompressionStream';
  try {
    let asked = false;
    const options = { get type() { asked = true; return 'module'; } };
    new Worker('data:text/javascript,', options).terminate();
    return asked ? '' : 'workers that are modules';
  } catch {
    return 'workers';
  }
}

/** A worker with a model in it: `call(name, values, onIteration)`. */
export class Client {
  constructor() {
    this.waiting = new Map();
    this.count = 0;
    this.worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
    this.worker.onmessage = ({ data }) => this.hear(data);
    this.worker.onerror = event => {
      event.preventDefault();
      const error = new Error(event.message || 'its files could not be loaded');
      for (const { reject } of this.waiting.values()) reject(error);
      this.waiting.clear();
    };
  }

  hear({ id, iteration, result, error }) {
    const asked = this.waiting.get(id);
    if (!asked) return;
    if (iteration) {
      asked.onIteration?.(iteration);
      return;
    }
    this.waiting.delete(id);
    if (error !== undefined) asked.reject(new Error(error));
    else asked.resolve(result);
  }

  call(name, values = {}, onIteration = null) {
    const id = ++this.count;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, onIteration });
      this.worker.postMessage({ ...values, id, call: name });
    });
  }
}

/** What scripts/browser.py wrote; or null, and `say` is told in words why not. */
export async function manifest(say) {
  const without = lacking();
  if (without) {
    say(`This browser has no ${without}, which the model needs. A recent Firefox, Chrome, Edge or `
      + 'Safari has; the chapters show the same in pictures.');
    return null;
  }
  try {
    const answer = await fetch(new URL('models/manifest.json', import.meta.url));
    if (!answer.ok) throw new Error('the models are missing: run scripts/browser.py');
    return await answer.json();
  } catch (error) {
    say(`The page could not load its models: ${error.message}`);
    return null;
  }
}

export const megabytes = bytes => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
