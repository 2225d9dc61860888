import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';

/** A page without other files: its style is inline, and it runs no script. */
export interface Page {
  readonly lang: string;
  readonly title: string;
  /** CSS in addition to the common style. */
  readonly style?: string;
  /** HTML of the body. */
  readonly body: string;
}

const STYLE = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
code, pre { font: 0.9em/1.4 ui-monospace, monospace; }
`;

/** Answers with a page. Its Content-Security-Policy allows only its own style, by its hash. */
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

/** Escapes text for HTML, including attributes. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
