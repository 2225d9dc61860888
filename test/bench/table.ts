/** One line of a bench: a figure beside what it is to be compared with. */
export interface Row {
  readonly what: string;
  readonly figure: number;
  readonly unit: string;
  /** Measured in the same run. */
  readonly baseline?: { readonly what: string; readonly figure: number };
  /** What it should be, as the reader checks it: `<= 1.5x`. */
  readonly aim?: string | undefined;
}

/** Figures of two dimensions, each cell as it is to be read. */
export interface Grid {
  readonly columns: readonly string[];
  readonly lines: readonly { readonly what: string; readonly cells: readonly string[] }[];
}

/** What a bench measured, or why it measured nothing: `there is no sox`. */
export type Figures = readonly Row[] | Grid | string;

/** A bench: it measures, and says what it measured in rows. */
export interface Bench {
  readonly name: string;
  readonly title: string;
  /** @param quick true for a short run that shows that it works, and whose figures mean little */
  run(quick: boolean): Promise<Figures>;
}

/** Figures as a table of plain text. */
export function table(figures: Figures): string {
  if (typeof figures === 'string') return `  not measured: ${figures}`;
  if ('lines' in figures) {
    const { columns, lines } = figures;
    return align([['', ...columns], ...lines.map(({ what, cells }) => [what, ...cells])]);
  }
  const lines = figures.map(({ what, figure, unit, baseline, aim }) => [
    what,
    `${digits(figure)} ${unit}`,
    baseline ? `${digits(baseline.figure)} ${unit}  ${baseline.what}` : '',
    baseline ? ratio(figure, baseline.figure) : '',
    aim ?? '',
  ]);
  return align([['', 'figure', 'baseline', 'ratio', 'aim'], ...lines]);
}

function align(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines
    .map((line) => `  ${line.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')}`.trimEnd())
    .join('\n');
}

function ratio(figure: number, baseline: number): string {
  return baseline === 0 || !Number.isFinite(figure / baseline) ? '-' : `${digits(figure / baseline)}x`;
}

function digits(value: number): string {
  if (!Number.isFinite(value)) return '-';
  const size = Math.abs(value);
  return value.toFixed(
    size === 0 || size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3,
  );
}
