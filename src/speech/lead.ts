/** The range of an adaptive lead, in ms. */
export interface LeadRange {
  readonly floorMs: number;
  readonly ceilingMs: number;
}

/** From what an adaptive lead may be, unless told otherwise. */
export const AUTO_LEAD: LeadRange = { floorMs: 50, ceilingMs: 500 };

/** Where it begins on a link of which nothing is known yet, in ms. */
const START_MS = 100;
/** Kept free above what jitter and lateness explain, in ms: one slot of the wheel and a block of the avatar's, doubled. */
const MARGIN_MS = 40;
/** After a near-miss the lead is at least so much larger. */
const RAISE_FACTOR = 1.5;
/** How fast it comes down again, in ms a second. */
const LOWER_MS_PER_S = 5;
/** Worst cases are remembered so long. */
const MEMORY_MS = 30_000;
/** A frame that leaves when the agent holds less than this share of the lead was nearly too late. */
const NEAR_MISS_SHARE = 0.3;

/** What a stall of this process is to be outlasted by while something else starts beside it, in ms. */
const BRACED_MS = 300;

/** What an agent may hold unplayed, in ms: fixed, or found out. */
export type Lead = number | AdaptiveLead;

/** The lead of one speech: its own, else the agent's. */
export function speechLead(
  { leadMs }: { readonly leadMs?: number | 'auto' | undefined },
  { lead, autoLead }: { readonly lead: Lead; readonly autoLead: AdaptiveLead },
): Lead {
  return leadMs === 'auto' ? autoLead : (leadMs ?? lead);
}

/** What that is now, in ms. */
export function leadNowMs(lead: Lead): number {
  return lead instanceof AdaptiveLead ? lead.leadMs : lead;
}

interface Worst {
  readonly ms: number;
  readonly atMs: number;
}

/**
 * The smallest lead that this agent's link and this process allow: the cushion against gaps is also the price of an
 * interruption (protocol.md §4). Raised at once after a near-miss, lowered slowly. Pure: time and measurements are
 * arguments.
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

  /** What the agent may hold now, in ms. */
  get leadMs(): number {
    return this.#braced ? Math.max(this.#leadMs, clamp(BRACED_MS, this.#range)) : this.#leadMs;
  }

  /** Something that takes the processor is about to begin, or has ended: the lead is larger for so long. */
  brace(on: boolean): void {
    this.#braced = on;
  }

  /** How often it was nearly too late. */
  get nearMisses(): number {
    return this.#nearMisses;
  }

  /**
   * A frame left.
   * @param heldMs what the agent held just before it
   * @param latenessMs how late the process was, in ms
   */
  frameLeft(heldMs: number, latenessMs: number, nowMs: number): void {
    // What is sent at once to fill a lead that has just become larger is not late.
    if (!this.#braced) this.#remember(latenessMs, nowMs);
    if (heldMs < this.#leadMs * NEAR_MISS_SHARE) this.#raise();
    this.#lower(nowMs);
  }

  /**
   * A delivery mark came back.
   * @param jitterMs how far apart fast and slow round trips are
   * @param excessMs how much slower this one was than the fastest
   */
  markReturned(jitterMs: number, excessMs: number): void {
    this.#jitterMs = jitterMs;
    if (excessMs > this.#leadMs * (1 - NEAR_MISS_SHARE)) this.#raise();
  }

  /** The agent ran dry although there was sound to send. */
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

  /** Keeps the worst lateness of the window: a list that only ever falls, so it stays short. */
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
