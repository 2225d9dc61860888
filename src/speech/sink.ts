/** How the agent treats a segment: without or with its own voice activity detection (protocol.md §3, §4). */
export type SegmentMode = 'file' | 'stream';

/** What a speech needs from the agent before its first sample. */
export interface SegmentNeeds {
  /** Alias of the model whose lips move; the agent's own default when absent. */
  readonly model?: string | undefined;
  readonly mode?: SegmentMode | undefined;
  /**
   * Who moves the lips: `avatar` (default), from the sound it plays, or `commands`, lip-sync commands that come as cues.
   * Switched between utterances only (protocol.md §7).
   */
  readonly lips?: 'avatar' | 'commands' | undefined;
}

/**
 * Where a speech's frames go: one agent, seen from below. A speech knows this, not a socket.
 * `frame`, `endSegment` and `command` do their write before they return, whole; they never throw for a lost agent,
 * which is told by the player's `lost()` instead.
 */
export interface FrameSink {
  /**
   * Settles when the agent can play: there, ready, the model's lips bound, the mode set.
   * @param waiting is told what is being waited for, as a whole sentence
   * @throws BridgeError AGENT_ABSENT or MODEL_NOT_READY when it did not come in time; the signal's reason when aborted
   */
  prepare(needs: SegmentNeeds, signal: AbortSignal, waiting: (message: string) => void): Promise<void>;
  /** Sends one frame: 1 to 640 samples, 16 kHz mono (protocol.md §4). */
  frame(samples: Int16Array): void;
  /** Ends the segment. The samples since the last end must be a multiple of 256 (protocol.md §4). */
  endSegment(): void;
  /** Sends a command line at once. It has been checked by the caller's side. */
  command(line: string): void;
  /** Listens to the agent's messages, over all its connections, until the returned function is called. */
  onMessage(listener: (text: string) => void): () => void;
  /** Samples the agent is known to have read since it connected; undefined when its transport cannot tell. */
  readonly readSamples: number | undefined;
  /** Samples sent since it connected. */
  readonly sentSamples: number;
  /** Monotonic ms until which it plays what another process has sent it; -Infinity where none has. */
  readonly playsUntilMs: number;
  /** `confirmed` while the agent itself has told that it can play what it reads; else `assumed`. */
  readonly hearing: 'confirmed' | 'assumed';
  /** True while the agent is known to have stopped reading. */
  readonly stalled: boolean;
}
