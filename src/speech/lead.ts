/** Range of an adaptive lead, in ms. */
export interface LeadRange {
  readonly floorMs: number;
  readonly ceilingMs: number;
}

/** Default range of an adaptive lead. */
export const AUTO_LEAD: LeadRange = { floorMs: 50, ceilingMs: 500 };

/** Initial lead on a new link, in ms. */
const START_MS = 100;
/** Margin above jitter and lateness, in ms: one slot of the wheel and one block of the avatar, doubled. */
const MARGIN_MS = 40;
/** Minimum factor by which the lead grows after a near-miss. */
const RAISE_FACTOR = 1.5;
/** Rate at which the lead falls again, in ms per second. */
const LOWER_MS_PER_S = 5;
/** Time for which the worst cases are kept, in ms. */
const MEMORY_MS = 30_000;
/** Share of the lead: a frame sent when the agent holds less than this was nearly too late. */
const NEAR_MISS_SHARE = 0.3;

/** Length of a stall of this process that the lead must cover while something else starts, in ms. */
const BRACED_MS = 300;

/** Maximum sound an agent may hold unplayed, in ms: fixed or adaptive. */
export type Lead = number | AdaptiveLead;

/** Returns the lead of one speech: its own, else the agent's. */
export function speechLead(
  { leadMs }: { readonly leadMs?: number | 'auto' | undefined },
  { lead, autoLead }: { readonly lead: Lead; readonly autoLead: AdaptiveLead },
): Lead {
  return leadMs === 'auto' ? autoLead : (leadMs ?? lead);
}

/** Returns the current value of a lead, in ms. */
export function leadNowMs(lead: Lead): number {
  return lead instanceof AdaptiveLead ? lead.leadMs : lead;
}

interface Worst {
  readonly ms: number;
  readonly atMs: number;
}

/**
 * Finds the smallest lead that this agent's link and this process allow. The lead protects against gaps but
 * delays an interruption (protocol.md §4). It is raised at once after a near-miss and lowered slowly. Pure:
 * time and measurements are arguments.
 */
export class AdaptiveLead {
  readonly #range: LeadRange;
  #leadMs: number;
  #atMs: number | undefined;
  #lateness: Worst[] = [];
  #jitterMs = 0;
  #nearMisses = 0;
  #braced = false;

  constructor(range: LeadRange = AUTO_LEAD) {
    this.#range = range;
    this.#leadMs = clamp(START_MS, range);
  }

  /** Maximum sound the agent may hold now, in ms. */
  get leadMs(): number {
    return this.#braced ? Math.max(this.#leadMs, clamp(BRACED_MS, this.#range)) : this.#leadMs;
  }

  /** Raises the lead (true) before a task that loads the processor, and lowers it again (false) after it. */
  brace(on: boolean): void {
    this.#braced = on;
  }

  /** Number of frames that were nearly too late. */
  get nearMisses(): number {
    return this.#nearMisses;
  }

  /**
   * Records a frame that was sent.
   * @param heldMs sound the agent held just before it
   * @param latenessMs lateness of the process, in ms
   */
  frameLeft(heldMs: number, latenessMs: number, nowMs: number): void {
    // A frame that fills a lead that has just grown is not late.
    if (!this.#braced) this.#remember(latenessMs, nowMs);
    if (heldMs < this.#leadMs * NEAR_MISS_SHARE) this.#raise();
    this.#lower(nowMs);
  }

  /**
   * Records a delivery mark that came back.
   * @param jitterMs difference between fast and slow round trips
   * @param excessMs delay of this round trip over the fastest
   */
  markReturned(jitterMs: number, excessMs: number): void {
    this.#jitterMs = jitterMs;
    if (excessMs > this.#leadMs * (1 - NEAR_MISS_SHARE)) this.#raise();
  }

  /** Records that the agent ran dry although there was sound to send. */
  ranDry(nowMs: number): void {
    this.#raise();
    this.#atMs = nowMs;
  }

  #raise(): void {
    this.#nearMisses += 1;
    this.#leadMs = clamp(Math.max(this.#leadMs * RAISE_FACTOR, this.#neededMs()), this.#range);
  }

  #lower(nowMs: number): void {
    const elapsedS = this.#atMs === undefined ? 0 : Math.min(1, (nowMs - this.#atMs) / 1000);
    this.#atMs = nowMs;
    const needed = clamp(this.#neededMs(), this.#range);
    this.#leadMs =
      needed > this.#leadMs ? needed : Math.max(needed, this.#leadMs - LOWER_MS_PER_S * elapsedS);
  }

  #neededMs(): number {
    return MARGIN_MS + this.#jitterMs + (this.#lateness[0]?.ms ?? 0);
  }

  /** Keeps the worst lateness of the window, as a list of falling values, which stays short. */
  #remember(latenessMs: number, nowMs: number): void {
    while (this.#lateness.length > 0 && this.#lateness[0]!.atMs < nowMs - MEMORY_MS) this.#lateness.shift();
    if (latenessMs < 1) return;
    while (this.#lateness.length > 0 && this.#lateness.at(-1)!.ms <= latenessMs) this.#lateness.pop();
    this.#lateness.push({ ms: latenessMs, atMs: nowMs });
  }
}

function clamp(ms: number, { floorMs, ceilingMs }: LeadRange): number {
  return Math.min(ceilingMs, Math.max(floorMs, ms));
}
