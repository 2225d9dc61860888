import { toBridgeError, type BridgeError } from '../base/errors.js';
import type { Device, RecorderName } from './recorders/recorder.js';
import { recordersFor } from './recorders/table.js';

/** What one recorder on this machine can record from. */
export interface RecorderReport {
  readonly recorder: RecorderName;
  /** The program's absolute path; undefined when it is not installed. */
  readonly path: string | undefined;
  /** How it is installed on this system, when it is known. */
  readonly install: string | undefined;
  readonly devices: readonly Device[];
  /** Why its devices could not be listed. */
  readonly error?: BridgeError;
}

/**
 * Every recorder of this system in the order in which `auto` tries them, with its devices. One that fails is reported,
 * and does not keep the others from answering.
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
