// Runs in a worker thread: Flite computes for 40 to 300 ms per sentence, and must not hold up the thread that
// paces the sound. Plain JavaScript, because a worker is started from an existing file, also when the sources
// run without a build.
import { readFile } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
// Not Node's own node:wasi: its calls from WebAssembly corrupt the heap, and the process crashes after some
// sentences (https://github.com/nodejs/node/issues/53087).
import { File, OpenFile, PreopenDirectory, WASI } from '@bjorn3/browser_wasi_shim';

/** @typedef {{ id: number, args: string[] }} FliteJob What to run: Flite's own arguments, without an output file. */
/** @typedef {{ id: number, wav?: Uint8Array, printed?: string, error?: string }} FliteResult */

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
const compiled = readFile(/** @type {{ wasmFile: string }} */ (workerData).wasmFile).then((bytes) =>
  WebAssembly.compile(bytes),
);
// The first caller gets the error; until then it must not end the process.
compiled.catch(() => undefined);

/**
 * Flite is a command: each utterance is one run in a new instance, with its own files in memory.
 * @param {FliteJob} job
 * @returns {Promise<FliteResult>}
 */
async function run({ id, args }) {
  const module = await compiled;
  const printed = new OpenFile(new File([]));
  const speech = new File([]);
  const wasi = new WASI(
    ['flite', ...args, '-o', '/out/speech.wav'],
    [],
    [
      new OpenFile(new File([])),
      printed,
      printed,
      new PreopenDirectory('/out', new Map([['speech.wav', speech]])),
    ],
    // Otherwise it writes debug lines to the output.
    { debug: false },
  );
  const instance = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: wasi.wasiImport });
  const code = wasi.start(/** @type {any} */ (instance));
  const text = new TextDecoder().decode(printed.file.data);
  if (code !== 0) return { id, error: `it ended with status ${code}: ${text.trim().slice(-300)}` };
  return { id, wav: speech.data, printed: text };
}

port.on('message', (/** @type {FliteJob} */ job) => {
  run(job)
    .catch((error) => ({ id: job.id, error: error instanceof Error ? error.message : String(error) }))
    .then((/** @type {FliteResult} */ result) =>
      port.postMessage(result, result.wav ? [result.wav.buffer] : []),
    );
});
