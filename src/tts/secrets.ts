const MASK = '***';
/** Shorter values are no keys, and masking them would make a message unreadable. */
const MIN_SECRET_CHARS = 4;
/** Services quote keys half masked: `sk-pr****abcd`. What is left of them is nobody's business either. */
const HALF_MASKED = /[\w-]*\*{3,}[\w*-]*/g;

/**
 * A text without the secrets in it, however a message came to quote them: as they are, in a URL, or half masked.
 * @param secrets keys and tokens; undefined ones and those under four characters are ignored
 */
export function redact(text: string, secrets: readonly (string | undefined)[]): string {
  let clean = text;
  for (const secret of secrets) {
    if (secret === undefined || secret.length < MIN_SECRET_CHARS) continue;
    for (const form of new Set([
      secret,
      encodeURIComponent(secret),
      new URLSearchParams({ s: secret }).toString().slice(2),
    ])) {
      clean = clean.replaceAll(form, MASK);
    }
  }
  return clean.replace(HALF_MASKED, MASK);
}
