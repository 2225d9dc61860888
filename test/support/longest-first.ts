import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * The files that take longest, longest first. A clean checkout knows no times of earlier runs, and a long file that
 * begins last leaves all workers but one idle for as long as it takes.
 */
const LONGEST = [
  'bench/bench',
  'e2e/console.test',
  'e2e/samples',
  'e2e/package',
  'bridge.test',
  'e2e/sources',
  'service/stream/stream',
  'cli/serve-keeper',
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
