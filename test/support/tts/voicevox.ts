import { bytesOf } from '../sound.js';
import { wavOf } from '../wav.js';
import { EngineServer, type Manners } from './engine-server.js';
import { tone } from './sound.js';

/** What a server writes that does not know its lengths yet. */
const UNKNOWN_LENGTH = { riffBytes: 0xffff_ffff, dataBytes: 0xffff_ffff };

interface Mora {
  text: string;
  consonant: string | null;
  consonant_length: number | null;
  vowel: string;
  vowel_length: number;
  pitch: number;
}

/** What the stand-in is like. */
export interface VoicevoxManners extends Manners {
  /** It has `/streaming_synthesis`. */
  streaming?: boolean;
  /** It has `/cancellable_synthesis`. */
  cancellable?: boolean;
  /** It answers at this rate, whatever was asked. */
  forcedRateHz?: number;
}

const FRAMES_PER_SECOND = 93.75;

/** A query in the shape of VOICEVOX's `/audio_query`: one accent phrase for each part between commas, a mora a character. */
export function audioQueryOf(text: string) {
  const parts = text.replace(/[。．.!！?？\s]+$/u, '').split(/[、,]\s*/u);
  return {
    accent_phrases: parts.map((part, index) => ({
      moras: Array.from(part).map((character, at): Mora => ({
        text: character,
        consonant: at % 2 === 0 ? 'k' : null,
        consonant_length: at % 2 === 0 ? 0.05 : null,
        vowel: at % 5 === 4 ? 'U' : 'o',
        vowel_length: 0.1,
        pitch: at % 5 === 4 ? 0 : 5.5,
      })),
      accent: 1,
      pause_mora:
        index < parts.length - 1
          ? { text: '、', consonant: null, consonant_length: null, vowel: 'pau', vowel_length: 0.3, pitch: 0 }
          : null,
      is_interrogative: index === parts.length - 1 && /[?？]\s*$/u.test(text),
    })),
    speedScale: 1,
    pitchScale: 0,
    intonationScale: 1,
    volumeScale: 1,
    prePhonemeLength: 0.1,
    postPhonemeLength: 0.1,
    pauseLength: null as number | null,
    pauseLengthScale: 1,
    outputSamplingRate: 24_000,
    outputStereo: false,
    kana: text,
  };
}

/** How long the sound of a query is, computed on its own: every phoneme in whole frames of 256 samples at 24 kHz. */
export function querySoundMs(query: ReturnType<typeof audioQueryOf>, upspeak: boolean): number {
  const lengths: number[] = [query.prePhonemeLength, query.postPhonemeLength];
  for (const phrase of query.accent_phrases) {
    for (const mora of phrase.moras) {
      if (mora.consonant_length !== null) lengths.push(mora.consonant_length);
      lengths.push(mora.vowel_length);
    }
    const last = phrase.moras.at(-1);
    if (upspeak && phrase.is_interrogative && last && last.pitch > 0) lengths.push(0.15);
    if (phrase.pause_mora)
      lengths.push((query.pauseLength ?? phrase.pause_mora.vowel_length) * query.pauseLengthScale);
  }
  const frames = lengths.map((seconds) => Math.round((seconds / query.speedScale) * FRAMES_PER_SECOND));
  return (frames.reduce((sum, count) => sum + count, 0) * 1000) / FRAMES_PER_SECOND;
}

/** A stand-in of VOICEVOX's engine with two speakers. */
export function startVoicevox(manners: VoicevoxManners = {}): Promise<EngineServer> {
  const speakers = [
    {
      name: '四国めたん',
      speaker_uuid: 'a',
      styles: [
        { name: 'ノーマル', id: 2 },
        { name: 'あまあま', id: 0 },
      ],
    },
    { name: 'ずんだもん', speaker_uuid: 'b', styles: [{ name: 'ノーマル', id: 3 }] },
  ];
  return EngineServer.start(({ path, query, json, method }) => {
    const speaker = query.get('speaker');
    if (path === '/speakers' && method === 'GET') return { body: speakers };
    if (path === '/version') return { body: '"0.25.0"' };
    if (method !== 'POST') return { status: 405, body: { detail: 'Method Not Allowed' } };
    if (speaker === null || speaker === '')
      return { status: 422, body: { detail: [{ msg: 'field required' }] } };
    if (path === '/audio_query') return { body: audioQueryOf(query.get('text') ?? '') };
    const streams = path === '/streaming_synthesis' && manners.streaming;
    const whole = path === '/synthesis' || (path === '/cancellable_synthesis' && manners.cancellable);
    if (!streams && !whole) return undefined;
    const asked = json as unknown as ReturnType<typeof audioQueryOf>;
    const rateHz = manners.forcedRateHz ?? asked.outputSamplingRate;
    const ms = querySoundMs(asked, query.get('enable_interrogative_upspeak') !== 'false');
    const channels = asked.outputStereo ? 2 : 1;
    const samples = tone(ms, rateHz, channels);
    return streams
      ? {
          body: Buffer.concat([wavOf(new Int16Array(0), rateHz, channels, UNKNOWN_LENGTH), bytesOf(samples)]),
          chunked: true,
        }
      : { body: wavOf(samples, rateHz, channels) };
  }, manners);
}
