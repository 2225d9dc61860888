/**
 * Bytes that decide whether data is text: within them every format of sound has a byte that text does not
 * have.
 */
export const TEXT_HEAD_BYTES = 64;
/** Maximum bytes of a text that are searched for its words. */
export const MAX_TEXT_BYTES = 4096;
const MAX_WORDS_CHARS = 300;

const MARKUP = /^\s*(?:<(?:!doctype|\?xml|html|head|body)\b|[{[]\s*["{[\]}])/i;

/**
 * Distinguishes a text (a server's error page, JSON, HTML) from sound.
 * @param head first bytes, preferably TEXT_HEAD_BYTES; the last character may be incomplete
 */
export function isText(head: Uint8Array): boolean {
  if (head.length === 0) return false;
  if (head.some((byte) => byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d && byte !== 0x0c))
    return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true });
    return true;
  } catch {
    // A page in another encoding, such as Shift_JIS.
    return isMarkup(head);
  }
}

/** Returns true for HTML, XML or JSON, which servers send as error messages and which is never samples. */
export function isMarkup(head: Uint8Array): boolean {
  return MARKUP.test(
    Buffer.from(head)
      .toString('latin1')
      .replace(/^\xef\xbb\xbf/, ''),
  );
}

/**
 * Returns the words of a text as one line for a message: the message inside JSON, or the words of a page
 * without its tags.
 * @param bytes the text's start
 * @returns at most 300 characters; empty when it is not text
 */
export function wordsOf(bytes: Uint8Array): string {
  const head = bytes.subarray(0, MAX_TEXT_BYTES);
  if (!isText(head)) return '';
  const text = new TextDecoder('utf-8').decode(head, { stream: true });
  const plain = text
    .replace(/<(script|style|title)\b[^>]*>.*?(<\/\1>|$)/gis, (tag, name: string) =>
      name.toLowerCase() === 'title' ? tag : ' ',
    )
    .replace(/<[^>]*>?/g, ' ');
  const words = messageOf(text) ?? (plain.trim() === '' ? text : plain);
  const line = words.replace(/\s+/g, ' ').trim();
  return line.length > MAX_WORDS_CHARS ? `${line.slice(0, MAX_WORDS_CHARS)}…` : line.replace(/\.$/, '');
}

/** Returns the message in the JSON shapes that servers use for errors. */
function messageOf(text: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  for (let depth = 0; depth < 6 && typeof value === 'object' && value !== null; depth++) {
    const fields = value as Record<string, unknown>;
    value = fields['message'] ?? fields['error'] ?? fields['detail'] ?? fields['msg'] ?? fields[0];
  }
  return typeof value === 'string' ? value : undefined;
}
