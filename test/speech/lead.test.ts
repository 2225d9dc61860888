import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AdaptiveLead, AUTO_LEAD } from '../../src/speech/lead.js';

/** Frames every 40 ms on time, for so long. */
function calm(lead: AdaptiveLead, fromMs: number, durationMs: number): number {
  let nowMs = fromMs;
  for (; nowMs < fromMs + durationMs; nowMs += 40) lead.frameLeft(lead.leadMs, 0.5, nowMs);
  return nowMs;
}

describe('AdaptiveLead', () => {
  it('comes down slowly to its floor on a link without jitter', () => {
    const lead = new AdaptiveLead();
    const start = lead.leadMs;
    calm(lead, 0, 2000);
    expect(lead.leadMs).toBeGreaterThan(start - 15);
    calm(lead, 2000, 60_000);
    expect(lead.leadMs).toBe(AUTO_LEAD.floorMs);
  });

  it('is raised at once when the agent nearly ran dry, and lowered slowly after', () => {
    const lead = new AdaptiveLead();
    const nowMs = calm(lead, 0, 60_000);
    lead.frameLeft(5, 0.5, nowMs);
    expect(lead.leadMs).toBeGreaterThan(AUTO_LEAD.floorMs * 1.49);
    calm(lead, nowMs, 1000);
    expect(lead.leadMs).toBeGreaterThan(AUTO_LEAD.floorMs * 1.5 - 6);
    expect(lead.nearMisses).toBe(1);
  });

  it('covers the jitter of the link and the lateness of the process', () => {
    const lead = new AdaptiveLead();
    lead.markReturned(90, 20);
    lead.frameLeft(120, 30, 1000);
    expect(lead.leadMs).toBeGreaterThanOrEqual(90 + 30);
    // The lateness is forgotten after a while, the jitter is what it is.
    calm(lead, 1040, 120_000);
    expect(lead.leadMs).toBeGreaterThanOrEqual(90);
    expect(lead.leadMs).toBeLessThan(150);
  });

  it('is raised by a round trip that was nearly as slow as the lead is long', () => {
    const lead = new AdaptiveLead();
    const before = lead.leadMs;
    lead.markReturned(5, before * 0.8);
    expect(lead.leadMs).toBeGreaterThan(before);
  });

  it('is larger while something starts beside the process, and what it was right after', () => {
    const lead = new AdaptiveLead();
    calm(lead, 0, 60_000);
    const before = lead.leadMs;
    lead.brace(true);
    expect(lead.leadMs).toBeGreaterThanOrEqual(300);
    // The frames that fill it are sent all at once, some long after their moment by the larger lead.
    lead.frameLeft(before, 220, 60_040);
    lead.brace(false);
    expect(lead.leadMs).toBeLessThanOrEqual(before);
    const narrow = new AdaptiveLead({ floorMs: 60, ceilingMs: 200 });
    narrow.brace(true);
    expect(narrow.leadMs).toBe(200);
  });

  it('stays within its range whatever happens', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1000), fc.nat(1000), fc.nat(3))), (steps) => {
        const lead = new AdaptiveLead();
        let nowMs = 0;
        for (const [a, b, kind] of steps) {
          nowMs += a;
          if (kind === 0) lead.frameLeft(a, b, nowMs);
          else if (kind === 1) lead.markReturned(a, b);
          else lead.ranDry(nowMs);
          expect(lead.leadMs).toBeGreaterThanOrEqual(AUTO_LEAD.floorMs);
          expect(lead.leadMs).toBeLessThanOrEqual(AUTO_LEAD.ceilingMs);
        }
      }),
    );
  });
});
