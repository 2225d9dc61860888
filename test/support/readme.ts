import { BridgeError, ERRORS, type ErrorCode } from '../../src/base/errors.js';
import { createBridge } from '../../src/bridge.js';
import { defaultText, OPTIONS, type OptionSpec } from '../../src/config.js';
import { statusOf } from '../../src/service/problem.js';
import { attachService } from '../../src/service/service.js';

/** The parts of the README that are made from the code, by the name of their markers. */
export const generatedSections: Record<string, () => string | Promise<string>> = {
  options: () => {
    const rows = Object.values(OPTIONS).map((spec: OptionSpec) => {
      const fallback = defaultText(spec);
      const shown = fallback === undefined ? '' : `\`${fallback}\``;
      return `| \`${spec.flag}\` | \`${spec.env}\` | ${shown} | ${cell(spec.range)} | ${cell(spec.help)} |`;
    });
    return [
      '| flag | environment | default | takes | what it does |',
      '| --- | --- | --- | --- | --- |',
      ...rows,
    ].join('\n');
  },
  api: async () => {
    const rows = (await operations()).map(
      ({ method, path, summary, bodies }) =>
        `| \`${method.toUpperCase()} ${path}\` | ${bodies.map((type) => `\`${type}\``).join(', ')} | ${cell(summary)} |`,
    );
    return ['| request | body | what it does |', '| --- | --- | --- |', ...rows].join('\n');
  },
  errors: () => {
    const rows = Object.entries(ERRORS).map(([code, { kind, retryable, advice }]) => {
      const status = statusOf(new BridgeError(code as ErrorCode, ''));
      return `| \`${code}\` | ${kind} | ${status} | ${retryable ? 'yes' : 'no'} | ${cell(advice)} |`;
    });
    const head = '| code | kind | HTTP | retry helps | what you can do |';
    return [head, '| --- | --- | --- | --- | --- |', ...rows].join('\n');
  },
};

/** A text as it may stand in a table. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

/** What the API's own document lists, by path. */
async function operations() {
  const bridge = await createBridge({ port: 0 });
  try {
    const { url } = await attachService(bridge);
    const document = (await (await fetch(`${url}/api/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { summary: string; requestBody?: { content: object } }>>;
    };
    return Object.entries(document.paths)
      .flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, { summary, requestBody }]) => ({
          ...{ method, path, summary },
          bodies: Object.keys(requestBody?.content ?? {}),
        })),
      )
      .sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  } finally {
    await bridge.close();
  }
}

/** Pages that hold a generated section, by its name. */
export const GENERATED_PAGES: Readonly<Record<string, string>> = {
  options: 'src/cli/README.md',
  api: 'src/service/README.md',
  errors: 'src/base/README.md',
};

/** Pages for users, which the package holds too. */
export const USER_PAGES = [
  'README.md',
  'README.ja.md',
  'src/base/README.md',
  'src/cli/README.md',
  'src/cluster/README.md',
  'src/keeper/README.md',
  'src/narration/README.md',
  'src/relay/README.md',
  'src/relay/README.ja.md',
  'src/remdis/README.md',
  'src/remdis/README.ja.md',
  'src/service/README.md',
];

/** A page with its generated section written anew between `<!-- begin NAME -->` and `<!-- end NAME -->`. */
export async function withGenerated(page: string, name: string): Promise<string> {
  const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`];
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the page has no section between ${begin} and ${end}`);
  return `${page.slice(0, from + begin.length)}\n\n${await generatedSections[name]!()}\n\n${page.slice(to)}`;
}
