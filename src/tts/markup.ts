const REASONING =
  /^(?:think|thinking|thought|thoughts|reason|reasoning|reflection|reflect|analysis|scratchpad|antthinking|seed:think|inner_monologue|chain_of_thought|cot)$/i;
const SSML =
  /^(?:speak|prosody|say-as|emphasis|voice|lang|phoneme|sub|audio|mark|w|token|par|seq|media|desc|bookmark|lexicon|metadata|lookup)$|:/i;
const BLOCK =
  /^(?:address|article|aside|blockquote|body|center|dd|details|dialog|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]|head|header|hr|html|li|main|nav|ol|p|pre|section|summary|table|tbody|td|tfoot|th|thead|title|tr|ul)$/i;
const INLINE =
  /^(?:a|abbr|b|bdi|bdo|big|br|button|cite|code|data|del|dfn|em|font|i|img|input|ins|kbd|label|link|mark|meta|nobr|q|rb|rbc|ruby|s|samp|select|small|span|strike|strong|sub|sup|time|tt|u|var|wbr|option|textarea|video|picture|source|svg|answer|response|output|final|final_answer)$/i;
/** Elements whose content is never text. */
const SILENT = /^(?:script|style|rt|rp|template|noscript|svg|head)$/i;
/** Break strengths of SSML §3.2.3, as lengths of common engines. */
const BREAK_MS: Readonly<Record<string, number>> = {
  ...{ none: 0, 'x-weak': 100, weak: 250, medium: 500, strong: 750, 'x-strong': 1000 },
};
const MAX_BREAK_MS = 10_000;

/**
 * Meaning of a tag of HTML, SSML or a language model for speech: content that is not spoken, a pause, a
 * sentence break, no effect, or a tag that is ignored with a warning.
 */
export type TagMeaning =
  'reasoning' | 'pause' | 'silent' | 'code' | 'table' | 'line' | 'paragraph' | 'nothing' | 'ignored';

/**
 * Returns the meaning of a tag.
 * @param bare true without attributes and without a slash at its end
 */
export function tagMeaning(name: string, bare: boolean): TagMeaning {
  if (REASONING.test(name)) return 'reasoning';
  if (/^break$/i.test(name)) return 'pause';
  if (SILENT.test(name)) return 'silent';
  if (/^pre$/i.test(name)) return 'code';
  if (/^table$/i.test(name)) return 'table';
  if (/^(?:li|h[1-6]|t[dhr]|p)$/i.test(name)) return 'paragraph';
  if (/^br$/i.test(name) || BLOCK.test(name)) return 'line';
  // HTML also has `sub` and `mark`, without attributes.
  if (SSML.test(name) && !(bare && /^(?:sub|mark)$/i.test(name))) return 'ignored';
  return INLINE.test(name) ? 'nothing' : 'ignored';
}

/** Returns the length of an SSML `<break>`. @param attributes attributes as in the tag */
export function breakMs(attributes: string): number {
  const [, count, unit] = /\btime\s*=\s*["']?\+?(\d*\.?\d+)(ms|s)\b/i.exec(attributes) ?? [];
  if (count !== undefined)
    return Math.min(MAX_BREAK_MS, Number(count) * (unit!.toLowerCase() === 's' ? 1000 : 1));
  const strength = /\bstrength\s*=\s*["']?([\w-]+)/i.exec(attributes)?.[1]?.toLowerCase() ?? 'medium';
  return BREAK_MS[strength] ?? BREAK_MS['medium']!;
}
