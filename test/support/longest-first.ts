import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * The files that take longest, about longest first, those that compute among those that wait. A clean checkout knows no
 * times of earlier runs, and a long file that begins last leaves all workers but one idle for as long as it takes.
 */
const LONGEST = [
  'bench/bench',
  'e2e/samples',
  'bridge.test',
  'service/stream/stream',
  'e2e/console.test',
  'cli/serve-keeper',
  'e2e/sources',
  'e2e/package',
  'e2e/say',
  'audio/decode/ffmpeg',
  'cli/serve.test',
];

/** Runs the longest files first, and the others in Vitest's own order. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.findIndex((name) => moduleId.includes(`test/${name}`));
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
