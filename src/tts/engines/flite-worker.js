// Runs in a worker thread: Flite computes for 40 to 300 ms a sentence, and the thread that paces the sound must not wait.
// Plain JavaScript, because a worker is started from a file as it stands, also where the sources run without a build.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WASI } from 'node:wasi';
import { parentPort, workerData } from 'node:worker_threads';

/** @typedef {{ id: number, args: string[] }} FliteJob What to run: Flite's own arguments, without an output file. */
/** @typedef {{ id: number, wav?: Uint8Array, printed?: string, error?: string }} FliteResult */

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
const compiled = readFile(/** @type {{ wasmFile: string }} */ (workerData).wasmFile).then((bytes) =>
  WebAssembly.compile(bytes),
);
// Whoever asks first hears of a failure; it must not end the process before.
compiled.catch(() => undefined);

/**
 * Flite is a command: each utterance is one run of it in a fresh instance, in a folder of its own.
 * @param {FliteJob} job
 * @returns {Promise<FliteResult>}
 */
async function run({ id, args }) {
  const module = await compiled;
  const folder = mkdtempSync(join(tmpdir(), 'mmdagent-bridge-flite-'));
  try {
    const printed = join(folder, 'printed.txt');
    const stdout = openSync(printed, 'w');
    let code;
    try {
      const wasi = new WASI({
        version: 'preview1',
        args: ['flite', ...args, '-o', '/out/speech.wav'],
        preopens: { '/out': folder },
        returnOnExit: true,
        stdout,
        stderr: stdout,
      });
      const instance = await WebAssembly.instantiate(module, /** @type {any} */ (wasi.getImportObject()));
      code = wasi.start(instance);
    } finally {
      closeSync(stdout);
    }
    const text = readFileSync(printed, 'utf8');
    if (code !== 0) return { id, error: `it ended with status ${code}: ${text.trim().slice(-300)}` };
    return { id, wav: new Uint8Array(readFileSync(join(folder, 'speech.wav'))), printed: text };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

port.on('message', (/** @type {FliteJob} */ job) => {
  run(job)
    .catch((error) => ({ id: job.id, error: error instanceof Error ? error.message : String(error) }))
    .then((/** @type {FliteResult} */ result) =>
      port.postMessage(result, result.wav ? [result.wav.buffer] : []),
    );
});
