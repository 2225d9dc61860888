/** The part of node-record-lpcm16 that node-record.ts uses. */
declare module 'node-record-lpcm16' {
  import type { ChildProcess } from 'node:child_process';

  interface Recording {
    /** What it started, synchronously; not there when starting threw. */
    readonly process: ChildProcess;
  }

  /** The library is CommonJS that Node finds no names in, so it comes whole. */
  const library: {
    /** Starts a recorder at once, with the environment as it is during the call. */
    record(options: {
      /** Passed to `require()`: never a caller's string. */
      recorder: 'sox' | 'rec';
      sampleRate: number;
      channels: number;
      audioType: 'raw';
    }): Recording;
  };
  export default library;
}
