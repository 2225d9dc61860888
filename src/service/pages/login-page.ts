import { escapeHtml, type Page } from './page.js';

const WORDS = {
  en: {
    title: 'Log in',
    token: 'Token of this service',
    submit: 'Log in',
    wrong: 'This is not the token of this service.',
    hint: 'It is what the service was started with: --token, --token-file or MMDAGENT_BRIDGE_TOKEN.',
  },
  ja: {
    title: 'ログイン',
    token: 'このサービスのトークン',
    submit: 'ログイン',
    wrong: 'トークンが違います。',
    hint: 'サービスの起動時に --token、--token-file または MMDAGENT_BRIDGE_TOKEN で指定したものです。',
  },
} as const;

const STYLE = `
body { max-width: 24rem; padding-top: 15vh; }
input, button { box-sizing: border-box; font: inherit; margin: 0.5rem 0; padding: 0.5rem; width: 100%; }
[role=alert] { color: light-dark(#b00020, #ff8a80); }
`;

/**
 * Returns the login page.
 * @param options.next page after the login
 * @param options.language the Accept-Language header
 */
export function loginPage(options: { next: string; wrong: boolean; language: string | undefined }): Page {
  const lang = /^ja\b/i.test(options.language ?? '') ? 'ja' : 'en';
  const words = WORDS[lang];
  const alert = options.wrong ? `<p role="alert">${words.wrong}</p>` : '';
  return {
    lang,
    title: `${words.title} · mmdagent-bridge`,
    style: STYLE,
    body: `<h1>${words.title}</h1>${alert}
<form method="post" action="/login">
<input type="hidden" name="next" value="${escapeHtml(options.next)}">
<label>${words.token}<input name="token" type="password" autocomplete="current-password" required autofocus></label>
<button>${words.submit}</button>
</form>
<p><small>${words.hint}</small></p>`,
  };
}

/** Returns the page after a login: always a path of this service. */
export function safeNext(next: unknown): string {
  // A second slash or a backslash would turn the rest into another host.
  return typeof next === 'string' && /^\/(?![/\\])[\w./?=&%#-]*$/.test(next) ? next : '/';
}
