import { bytesOf } from '../sound.js';
import { wavOf } from '../wav.js';
import {
  EngineServer,
  type Manners,
  type SeenRequest,
  type StandInReply,
  textField,
} from './engine-server.js';
import { speechMs, tone } from './sound.js';

/** The key that every stand-in of a cloud service wants. */
export const KEY = 'test-key-+/=secret-0123456789';

/** Services quote the key that they refuse. */
function refusal(key: string | undefined): StandInReply {
  return {
    status: 401,
    body: { error: { message: `Incorrect API key provided: ${key ?? 'none'}.`, code: 'invalid_api_key' } },
  };
}

/** What the stand-in of OpenAI's API is like. */
export interface OpenAiManners extends Manners {
  /** False for a server on one's own machine. */
  wantsKey?: boolean;
  /** It sends a WAV file, whatever was asked. */
  sendsWav?: boolean;
  contentType?: string;
  rateHz?: number;
}

/** A stand-in of OpenAI's speech API, and of Kokoro-FastAPI's additions to it. */
export function startOpenAi(manners: OpenAiManners = {}): Promise<EngineServer> {
  return EngineServer.start(({ path, headers, json }) => {
    const key = headers.authorization?.replace(/^Bearer /, '');
    if (manners.wantsKey && key !== KEY) return refusal(key);
    if (path === '/v1/audio/voices')
      return { body: { voices: ['af_heart', { id: 'af_bella', name: 'Bella' }] } };
    const text = textField(json, 'input');
    const rateHz = manners.rateHz ?? 24_000;
    const samples = tone(speechMs(text) / Number(json?.['speed'] ?? 1), rateHz);
    if (path === '/dev/captioned_speech')
      return { type: 'application/json', body: captions(text, samples), chunked: true };
    if (path !== '/v1/audio/speech') return undefined;
    if (text.length > 4096) return { status: 400, body: { error: { message: 'string too long' } } };
    if (manners.sendsWav) return { body: wavOf(samples, rateHz) };
    return { type: manners.contentType ?? 'audio/pcm', body: bytesOf(samples), chunked: true };
  }, manners);
}

/** Two lines, each with half of the sound and its words' times in seconds. */
function captions(text: string, samples: Int16Array): string {
  const words = text.split(/\s+/);
  const seconds = samples.length / 24_000;
  const half = Math.ceil(words.length / 2);
  const line = (from: number, to: number, part: Int16Array): string =>
    JSON.stringify({
      audio: bytesOf(part).toString('base64'),
      audio_format: 'audio/pcm',
      timestamps: words.slice(from, to).map((word, i) => ({
        word,
        start_time: ((from + i) * seconds) / words.length,
        end_time: ((from + i + 1) * seconds) / words.length,
      })),
    });
  const middle = samples.length >> 1;
  return `${line(0, half, samples.subarray(0, middle))}\n${line(half, words.length, samples.subarray(middle))}\n`;
}

/** A stand-in of Azure AI Speech. The spoken text is what is left of the SSML without markup. */
export function startAzure(manners: Manners = {}): Promise<EngineServer> {
  return EngineServer.start(({ path, headers, body }) => {
    if (headers['ocp-apim-subscription-key'] !== KEY)
      return refusal(String(headers['ocp-apim-subscription-key']));
    if (path === '/cognitiveservices/voices/list') {
      return { body: [{ ShortName: 'ja-JP-NanamiNeural', LocalName: '七海', Locale: 'ja-JP' }] };
    }
    if (path !== '/cognitiveservices/v1') return undefined;
    if (headers['content-type'] !== 'application/ssml+xml' || !headers['user-agent'])
      return { status: 400, body: '' };
    if (headers['x-microsoft-outputformat'] !== 'raw-16khz-16bit-mono-pcm') return { status: 400, body: '' };
    const text = body.replace(/<[^>]*>/g, '');
    return { type: 'audio/x-wav', body: bytesOf(tone(speechMs(text), 16_000)), chunked: true };
  }, manners);
}

/** A stand-in of Google Cloud Text-to-Speech. */
export function startGoogle(manners: Manners = {}): Promise<EngineServer> {
  return EngineServer.start(({ path, query, json }) => {
    if (query.get('key') !== KEY) {
      return {
        status: 400,
        body: { error: { code: 400, message: `API key not valid: ${query.get('key') ?? ''}` } },
      };
    }
    if (path === '/v1/voices')
      return { body: { voices: [{ name: 'ja-JP-Neural2-B', languageCodes: ['ja-JP'] }] } };
    if (path !== '/v1/text:synthesize') return undefined;
    const { text } = json!['input'] as { text: string };
    const config = json!['audioConfig'] as { sampleRateHertz: number; speakingRate?: number };
    const samples = tone(speechMs(text) / (config.speakingRate ?? 1), config.sampleRateHertz);
    return { body: { audioContent: wavOf(samples, config.sampleRateHertz).toString('base64') } };
  }, manners);
}

/** ElevenLabs over HTTP: the route, for a server of its own or one with its WebSocket. */
export function elevenLabsRoute({ path, headers, query, json }: SeenRequest): StandInReply | undefined {
  if (headers['xi-api-key'] !== KEY) return refusal(String(headers['xi-api-key']));
  if (path === '/v1/voices') return { body: { voices: [{ voice_id: 'abc', name: 'Rachel' }] } };
  if (!/^\/v1\/text-to-speech\/[^/]+\/stream$/.test(path)) return undefined;
  if (query.get('output_format') !== 'pcm_16000')
    return { status: 400, body: { detail: { message: 'format' } } };
  const speed = (json?.['voice_settings'] as { speed?: number } | undefined)?.speed ?? 1;
  const samples = tone(speechMs(textField(json, 'text')) / speed, 16_000);
  return { type: 'audio/pcm', body: bytesOf(samples), chunked: true };
}
