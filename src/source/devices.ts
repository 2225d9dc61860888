import { toBridgeError, type BridgeError } from '../base/errors.js';
import type { Device, RecorderName } from './recorders/recorder.js';
import { recordersFor } from './recorders/table.js';

/** A recorder on this machine and its devices. */
export interface RecorderReport {
  readonly recorder: RecorderName;
  /** Absolute path of the program; undefined when it is not installed. */
  readonly path: string | undefined;
  /** Install command on this system, if known. */
  readonly install: string | undefined;
  readonly devices: readonly Device[];
  /** Error of listing its devices. */
  readonly error?: BridgeError;
}

/**
 * Returns every recorder of this system in the order in which `auto` tries them, with its devices. A recorder
 * that fails is reported and does not hold up the others.
 */
export async function listRecorders(signal: AbortSignal): Promise<RecorderReport[]> {
  return Promise.all(
    recordersFor().map(async (recorder): Promise<RecorderReport> => {
      const path = await recorder.available();
      const report = {
        recorder: recorder.name,
        path,
        install: recorder.install[process.platform],
        devices: [],
      };
      if (path === undefined) return report;
      try {
        return { ...report, devices: await recorder.listDevices(signal) };
      } catch (error) {
        return { ...report, error: toBridgeError(error, 'RECORDER_FAILED', recorder.name) };
      }
    }),
  );
}
