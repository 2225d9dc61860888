import type { SoundContext, SoundInfo } from '../../src/audio/pcm.js';

/** A context that keeps what it was told. */
export interface NotingContext extends SoundContext {
  readonly infos: SoundInfo[];
  readonly warnings: string[];
  abort(reason?: Error): void;
}

/** A context for a test; aborting it ends the sound, and so does the signal. */
export function notingContext(signal?: AbortSignal): NotingContext {
  const controller = new AbortController();
  const infos: SoundInfo[] = [];
  const warnings: string[] = [];
  return {
    signal: signal ? AbortSignal.any([signal, controller.signal]) : controller.signal,
    infos,
    warnings,
    info: (info) => void infos.push(info),
    warn: (message) => void warnings.push(message),
    abort: (reason) => controller.abort(reason),
  };
}
