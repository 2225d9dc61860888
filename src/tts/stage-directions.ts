/** Context of a span in asterisks or parentheses. */
export interface SpanPlace {
  /** True when no part of a sentence comes before it. */
  readonly startsSentence: boolean;
  /** The character after it; undefined at the end of the text. */
  readonly next: string | undefined;
}

/** Verbs of gestures and sounds, as base forms. */
const DEEDS = new Set(
  (
    'beam blink blush bow burp cackle chuckle clap cough cringe cry curtsy dance exhale fidget frown gasp gesture giggle ' +
    'glance grin groan gulp growl hum hug inhale jump kiss laugh lean mumble murmur mutter nod pause point pout purr roll ' +
    'scoff scream scratch shake shiver shrug shudder sigh sing sip smile smirk snicker sniff sniffle snort sob spin squeal ' +
    'stare stretch stutter tap tilt tremble turn twirl wag wave whimper whine whisper whistle wince wink yawn'
  ).split(' '),
);
/** Verbs whose base form alone is also a direction: `*sigh*`. */
const BARE = new Set(
  'blush bow burp chuckle clap cough gasp giggle grin groan gulp hug laugh nod pause shrug sigh smile smirk sniff sob wave wink yawn'.split(
    ' ',
  ),
);
const SOUNDS =
  /^(?:clear(?:s|ing) (?:(?:his|her|their|its|my) )?throat|look(?:s|ing) (?:around|away|up|down|at)|tak(?:es|ing) a (?:deep )?(?:breath|bow)|laughter|applause|deep breath)\b/i;
const JAPANESE =
  /^(?:[爆苦微失大冷嘲]?笑(?:い|う|顔|って|いながら)?|号?泣(?:き|く)?|涙|汗|冷や汗|怒(?:り)?|照れ?|拍手|[た溜]め?(?:ため)?息|咳(?:払い)?|深呼吸|沈黙|無言|間|小声(?:で)?|棒読み?|震え声|ドヤ顔|キリッ|ニコッ|にっこり|ニヤリ|ぺこり|ペコリ|ゴホン|w+|ｗ+)[。、！!…]*$/u;
/** Endings of a Japanese phrase that describes an action: of a verb or an attendant circumstance. */
const JAPANESE_DEED = /(?:ながら|[うくぐすつぬぶむる]|して|って|んで)[。…]*$/u;
const CJK = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;
const ENDS_SENTENCE = /[.!?。！？:：;]$/u;
const THIRD_PERSON = /^\p{L}\p{Ll}+s$/u;
const PARTICIPLE = /^\p{L}\p{Ll}+ing$/u;
const LOWERCASE = /^\p{Ll}/u;
const MAX_WORDS = 8;

/**
 * True when a span in single asterisks is a stage direction (`*waves*`) and not an emphasis (`*really*`). A
 * direction stands between sentences, or is one of the usual actions.
 * @param span the text between the asterisks
 */
export function isStarDirection(span: string, { startsSentence, next }: SpanPlace): boolean {
  const phrase = span.trim();
  if (SOUNDS.test(phrase) || JAPANESE.test(phrase)) return true;
  const endsHere = next === undefined || /[\s.!?。！？*]/u.test(next);
  const between = startsSentence && endsHere;
  if (CJK.test(phrase)) return between && !ENDS_SENTENCE.test(phrase) && JAPANESE_DEED.test(phrase);
  const words = phrase.split(/\s+/);
  if (words.length > MAX_WORDS) return false;
  const verb = verbOf(words);
  if (isDeed(verb) && (THIRD_PERSON.test(verb) || BARE.has(verb.toLowerCase()) || between)) return true;
  if (!between || ENDS_SENTENCE.test(phrase)) return false;
  return (THIRD_PERSON.test(verb) || PARTICIPLE.test(verb)) && (LOWERCASE.test(phrase) || words.length > 1);
}

/**
 * True when parentheses hold a stage direction, such as （笑） or (laughs).
 * @param span the text between the parentheses
 */
export function isParenthesisDirection(span: string, { startsSentence }: SpanPlace): boolean {
  const phrase = span.trim();
  if (SOUNDS.test(phrase) || JAPANESE.test(phrase)) return true;
  if (CJK.test(phrase)) return startsSentence && JAPANESE_DEED.test(phrase);
  const words = phrase.split(/\s+/);
  return words.length <= MAX_WORDS && isDeed(verbOf(words));
}

/** Returns the verb of `waves`, `softly laughs`, `she nods`. */
function verbOf(words: readonly string[]): string {
  const at = words.findIndex((word) => !/^(?:he|she|it|they)$|ly$/i.test(word));
  return (words[at] ?? '').replace(/[,.!…]+$/, '');
}

function isDeed(word: string): boolean {
  const lower = word.toLowerCase();
  if (DEEDS.has(lower)) return true;
  const stem = /^(\w+?)(?:s|es|ies|ing|ed)$/.exec(lower)?.[1];
  if (stem === undefined) return false;
  return [stem, `${stem}e`, `${stem}y`, stem.replace(/(\w)\1$/, '$1')].some((base) => DEEDS.has(base));
}
