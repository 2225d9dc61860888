/** Segment mode of the agent: without or with its own voice activity detection (protocol.md §3, §4). */
export type SegmentMode = 'file' | 'stream';

/** Requirements of a speech, to be met by the agent before the first sample. */
export interface SegmentNeeds {
  /** Alias of the model whose lips move; default: the agent's own. */
  readonly model?: string | undefined;
  readonly mode?: SegmentMode | undefined;
  /**
   * Source of the lip movement: `avatar` (default), from the sound it plays, or `commands`, lip-sync commands
   * sent as cues. Switched only between utterances (protocol.md §7).
   */
  readonly lips?: 'avatar' | 'commands' | undefined;
}

/**
 * Destination of a speech's frames: an agent, without its socket. `frame`, `endSegment` and `command`
 * complete their write before they return. They never throw for a lost agent; the player's `lost()` reports
 * it.
 */
export interface FrameSink {
  /**
   * Settles when the agent can play: connected, ready, the model's lips bound, the mode set.
   * @param waiting called with a whole sentence that says what is awaited
   * @throws BridgeError AGENT_ABSENT or MODEL_NOT_READY when the agent was not ready in time; the signal's
   * reason when aborted
   */
  prepare(needs: SegmentNeeds, signal: AbortSignal, waiting: (message: string) => void): Promise<void>;
  /** Sends one frame: 1 to 640 samples, 16 kHz mono (protocol.md §4). */
  frame(samples: Int16Array): void;
  /** Ends the segment. The samples since the last end must be a multiple of 256 (protocol.md §4). */
  endSegment(): void;
  /** Sends a command line at once. The caller has checked it. */
  command(line: string): void;
  /** Subscribes to the agent's messages over all its connections; the returned function unsubscribes. */
  onMessage(listener: (text: string) => void): () => void;
  /** Samples the agent is known to have read since it connected; undefined when its transport cannot tell. */
  readonly readSamples: number | undefined;
  /** Samples sent since it connected. */
  readonly sentSamples: number;
  /** Monotonic ms until which the agent plays sound from another process; -Infinity without any. */
  readonly playsUntilMs: number;
  /** `confirmed` while the agent itself has reported that it can play; otherwise `assumed`. */
  readonly hearing: 'confirmed' | 'assumed';
  /** True while the agent is known to have stopped reading. */
  readonly stalled: boolean;
}
