import type { Voice } from './engine.js';

const LISTS = ['voices', 'data', 'items', 'results', 'speakers', 'models', 'styles'];
const IDS = ['id', 'voice_id', 'voiceId', 'voice', 'key', 'slug', 'uuid', 'ShortName', 'name'];
const NAMES = ['name', 'display_name', 'displayName', 'label', 'title', 'LocalName'];
const LANGUAGES = [
  'language',
  'lang',
  'locale',
  'Locale',
  'language_code',
  'languageCode',
  'languages',
  'languageCodes',
];
const MAX_DEPTH = 4;

/**
 * Reads a list of voices in the forms that servers use: an array, or one under `voices`, `data` and the like;
 * an object by the voices' ids; strings, or objects with `id`, `voice_id` or `name`; speakers with `styles`
 * below them.
 * @returns each voice once; empty without any
 */
export function voicesIn(answer: unknown): Voice[] {
  const voices = new Map<string, Voice>();
  for (const voice of listOf(answer, 0)) if (!voices.has(voice.id)) voices.set(voice.id, voice);
  return [...voices.values()];
}

function listOf(value: unknown, depth: number): Voice[] {
  if (depth > MAX_DEPTH) return [];
  if (Array.isArray(value)) return value.flatMap((item) => voicesOf(item, undefined));
  if (!isObject(value)) return [];
  const list = LISTS.map((key) => value[key]).find((inner) => typeof inner === 'object' && inner !== null);
  if (list !== undefined) return listOf(list, depth + 1);
  return Object.entries(value).flatMap(([key, item]) => voicesOf(item, key));
}

/** @param key key of the item in its object */
function voicesOf(item: unknown, key: string | undefined): Voice[] {
  if (typeof item === 'string' || typeof item === 'number')
    return [
      key === undefined ? { id: String(item), name: String(item) } : { id: key, name: nameOf(item, key) },
    ];
  if (!isObject(item)) return key === undefined ? [] : [{ id: key, name: key }];
  const own = text(item, IDS);
  const language = languageOf(item);
  const styles = item['styles'];
  if (Array.isArray(styles) && styles.some(isObject)) {
    const speaker = text(item, NAMES) ?? own ?? key;
    return styles
      .flatMap((style) => voicesOf(style, undefined))
      .map(({ id, name }) => ({
        id,
        name: speaker === undefined ? name : `${speaker}/${name}`,
        language,
      }));
  }
  const id = key ?? own;
  return id === undefined ? [] : [{ id, name: text(item, NAMES) ?? id, language }];
}

/** Returns the name of a voice. A number or a path beside an id is not a name. */
function nameOf(item: string | number, key: string): string {
  return typeof item === 'string' && item !== '' && !/[\\/]|^\d+$/.test(item) ? item : key;
}

function text(item: Readonly<Record<string, unknown>>, keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const value = item[key];
    if ((typeof value === 'string' && value !== '') || typeof value === 'number') return String(value);
  }
  return undefined;
}

function languageOf(item: Readonly<Record<string, unknown>>): string | undefined {
  for (const key of LANGUAGES) {
    const value = item[key];
    const one: unknown = Array.isArray(value) ? value[0] : isObject(value) ? value['code'] : value;
    if (typeof one === 'string' && one !== '') return one.replace('_', '-');
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
