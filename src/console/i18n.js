import { PROBLEMS } from './problems.js';
import { WORDS } from './words.js';

/** @typedef {keyof typeof WORDS} Language */

const STORED = 'language';

/** @type {Language} */
let language = chosen();
/** @type {Set<() => void>} */
const listeners = new Set();

function chosen() {
  const stored = remembered(STORED);
  if (stored === 'en' || stored === 'ja') return stored;
  return navigator.language.toLowerCase().startsWith('ja') ? 'ja' : 'en';
}

/**
 * Returns or stores a setting in this browser; null when the browser forbids it.
 * @param {string} key
 * @param {string} [value] new value
 * @returns {string | null}
 */
export function remembered(key, value) {
  try {
    if (value !== undefined) localStorage.setItem(`mmdagent-bridge.${key}`, value);
    return localStorage.getItem(`mmdagent-bridge.${key}`);
  } catch {
    return null;
  }
}

/** Returns the current language. */
export function currentLanguage() {
  return language;
}

/**
 * Returns a phrase in the current language.
 * @param {string} key
 * @param {Record<string, string | number>} [values] values of the placeholders in braces
 * @returns {string}
 */
export function t(key, values = {}) {
  const phrase =
    /** @type {Record<string, string>} */ (WORDS[language])[key] ??
    /** @type {Record<string, string>} */ (WORDS.en)[key] ??
    key;
  return phrase.replace(/\{(\w+)\}/g, (place, name) => String(values[name] ?? place));
}

/**
 * Returns a problem in the current language.
 * @param {{ code?: string, detail?: string, message?: string, advice?: string } | null | undefined} problem
 * @returns {{ what: string, advice: string, original: string }} what happened; what to do; and the service's own text,
 * which names the object concerned, unless it is shown already
 */
export function explain(problem) {
  const detail = problem?.detail ?? problem?.message ?? '';
  const advice = problem?.advice ?? '';
  const own = PROBLEMS[language]?.[problem?.code ?? ''];
  if (!own) return { what: detail, advice, original: '' };
  return { what: own[0], advice: own[1], original: `${detail} ${advice}`.trim() };
}

/**
 * Returns a problem as one line.
 * @param {Parameters<typeof explain>[0]} problem
 */
export function problemLine(problem) {
  const { what } = explain(problem);
  const detail = problem?.detail ?? '';
  return what === detail || detail === '' ? what : `${what} (${detail})`;
}

/**
 * Changes the language.
 * @param {Language} next
 */
export function setLanguage(next) {
  language = next;
  remembered(STORED, next);
  translatePage();
  for (const listener of listeners) listener();
}

/**
 * Calls `listener` after each change of the language.
 * @param {() => void} listener
 */
export function onLanguage(listener) {
  listeners.add(listener);
}

/** Fills in the texts of all elements that name a phrase. */
export function translatePage() {
  document.documentElement.lang = language;
  for (const [attribute, put] of /** @type {const} */ ([
    ['data-t', (/** @type {Element} */ e, /** @type {string} */ text) => (e.textContent = text)],
    [
      'data-t-label',
      (/** @type {Element} */ e, /** @type {string} */ text) => e.setAttribute('aria-label', text),
    ],
    [
      'data-t-placeholder',
      (/** @type {Element} */ e, /** @type {string} */ text) => e.setAttribute('placeholder', text),
    ],
  ])) {
    for (const element of document.querySelectorAll(`[${attribute}]`))
      put(element, t(element.getAttribute(attribute) ?? ''));
  }
}
