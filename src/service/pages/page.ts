import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';

/** A page that needs no other file: its style is in it, and it runs nothing. */
export interface Page {
  readonly lang: string;
  readonly title: string;
  /** CSS beside what every page has. */
  readonly style?: string;
  /** HTML. */
  readonly body: string;
}

const STYLE = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
code, pre { font: 0.9em/1.4 ui-monospace, monospace; }
`;

/** Answers with a page. What it may load is nothing but the style it carries, which the header names by its hash. */
export function sendPage(reply: FastifyReply, status: number, { lang, title, style = '', body }: Page): void {
  const css = STYLE + style;
  const hash = createHash('sha256').update(css).digest('base64');
  const html =
    `<!doctype html>\n<html lang="${lang}"><head><meta charset="utf-8">` +
    `<meta name="viewport" content="width=device-width, initial-scale=1"><title>${escapeHtml(title)}</title>` +
    `<link rel="icon" href="data:,"><style>${css}</style></head><body>\n${body}\n</body></html>\n`;
  void reply
    .code(status)
    .type('text/html; charset=utf-8')
    .header(
      'content-security-policy',
      `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
    )
    .serializer((text: string) => text)
    .send(html);
}

/** Text as it stands in HTML, in an attribute too. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
