import { ERRORS } from '../../src/base/errors.js';
import { defaultText, OPTIONS, type OptionSpec } from '../../src/config.js';

/** The parts of the README that are made from the code, by the name of their markers. */
export const generatedSections: Record<string, () => string> = {
  options: () => {
    const rows = Object.values(OPTIONS).map((spec: OptionSpec) => {
      const fallback = defaultText(spec);
      const shown = fallback === undefined ? '' : `\`${fallback}\``;
      return `| \`${spec.flag}\` | \`${spec.env}\` | ${shown} | ${spec.range} | ${spec.help} |`;
    });
    return [
      '| flag | environment | default | takes | what it does |',
      '| --- | --- | --- | --- | --- |',
      ...rows,
    ].join('\n');
  },
  errors: () => {
    const rows = Object.entries(ERRORS).map(
      ([code, { kind, retryable, advice }]) =>
        `| \`${code}\` | ${kind} | ${retryable ? 'yes' : 'no'} | ${advice} |`,
    );
    return ['| code | kind | retry helps | what you can do |', '| --- | --- | --- | --- |', ...rows].join(
      '\n',
    );
  },
};

/** The README with every generated section written anew between `<!-- begin NAME -->` and `<!-- end NAME -->`. */
export function withGenerated(readme: string): string {
  let text = readme;
  for (const [name, make] of Object.entries(generatedSections)) {
    const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`];
    const from = text.indexOf(begin);
    const to = text.indexOf(end);
    if (from < 0 || to < from) throw new Error(`the README has no section between ${begin} and ${end}`);
    text = `${text.slice(0, from + begin.length)}\n\n${make()}\n\n${text.slice(to)}`;
  }
  return text;
}
