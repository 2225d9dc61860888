/** Declares the part of node-record-lpcm16 that node-record.ts uses. */
declare module 'node-record-lpcm16' {
  import type { ChildProcess } from 'node:child_process';

  interface Recording {
    /** Process that was started; absent when the start threw. */
    readonly process: ChildProcess;
  }

  /** The library is CommonJS without names that Node can detect, so it is imported as a whole. */
  const library: {
    /** Starts a recorder at once, with the environment at the time of the call. */
    record(options: {
      /** Passed to `require()`: must never be a caller's string. */
      recorder: 'sox' | 'rec';
      sampleRate: number;
      channels: number;
      audioType: 'raw';
    }): Recording;
  };
  export default library;
}
