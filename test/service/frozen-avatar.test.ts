import { afterEach, expect, it } from 'vitest';
import { systemClock, delay } from '../../src/base/clock.js';
import { noise } from '../support/signals.js';
import { startService, type ServiceRig } from '../support/service-rig.js';

let rig: ServiceRig;
afterEach(() => rig.close());

it('an avatar that stands still for 4 s is told of as a gap of about 4 s, in the end, the events and the metrics', async () => {
  rig = await startService();
  const avatar = await rig.avatar();
  const agent = rig.bridge.agent();
  const gaps: { lengthMs: number; cause: string }[] = [];
  agent.on('gap', ({ lengthMs, cause }) => gaps.push({ lengthMs, cause }));
  const speech = agent.speak(noise(16_000 * 4, 9000), { sampleRateHz: 16_000 });
  await speech.started;
  await delay(systemClock, 1500);
  avatar.stopReading();
  await delay(systemClock, 4000);
  avatar.resumeReading();
  const end = await speech.finished;
  expect(end).toMatchObject({ how: 'completed', gaps: { byAgent: 1 } });
  const [gap] = gaps.filter(({ cause }) => cause === 'agent');
  // A mark goes out every 400 ms: what was read since the last one is not known.
  expect(gap!.lengthMs).toBeGreaterThan(3500);
  expect(gap!.lengthMs).toBeLessThan(5000);
  const metrics = await (await fetch(`http://127.0.0.1:${rig.port}/metrics`)).text();
  expect(metrics).toContain('mmdagent_bridge_gaps_total{agent="default",cause="agent"} 1');
  const seconds = /gap_seconds_total\{agent="default",cause="agent"\} (\S+)/.exec(metrics)?.[1];
  expect(Number(seconds)).toBeCloseTo(gap!.lengthMs / 1000, 2);
}, 30_000);
