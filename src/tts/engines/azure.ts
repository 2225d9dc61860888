import { z } from 'zod';
import type { VoiceOptions, SynthesisPart, TtsEngine, Voice } from '../engine.js';
import { defineEngine, httpClient, httpOptions, keyOptions, requiredKey } from '../engine-definition.js';

const optionsSchema = z.strictObject({
  ...httpOptions('https://eastus.tts.speech.microsoft.com'),
  ...keyOptions('AZURE_SPEECH_KEY'),
  region: z
    .string()
    .regex(/^[a-z0-9]+$/)
    .optional()
    .describe('The region of the resource, such as japaneast.'),
  style: z
    .string()
    .regex(/^[\w-]+$/)
    .optional()
    .describe('A speaking style of the voice, such as cheerful.'),
});

const voicesSchema = z.array(
  z.looseObject({ ShortName: z.string(), LocalName: z.string().optional(), Locale: z.string().optional() }),
);

/** Default voices by language. */
const VOICES: Readonly<Record<string, string>> = {
  ja: 'ja-JP-NanamiNeural',
  en: 'en-US-JennyNeural',
  de: 'de-DE-KatjaNeural',
  fr: 'fr-FR-DeniseNeural',
  es: 'es-ES-ElviraNeural',
  zh: 'zh-CN-XiaoxiaoNeural',
  ko: 'ko-KR-SunHiNeural',
};

/** Azure AI Speech. */
export const azure = defineEngine({
  name: 'azure',
  summary: 'Azure AI Speech, many languages, in the cloud',
  options: optionsSchema,
  create(options, host): TtsEngine {
    const key = requiredKey('azure', host, options.keyEnv);
    const baseUrl = options.region ? `https://${options.region}.tts.speech.microsoft.com` : options.baseUrl;
    const headers = { 'ocp-apim-subscription-key': key, 'user-agent': 'mmdagent-audio-bridge' };
    const client = httpClient('azure', { ...options, baseUrl }, host, { headers, secrets: [key] });
    return {
      name: 'azure',
      capabilities: {
        streams: true,
        parallel: options.parallel ?? 2,
        timing: 'none',
        volume: false,
        maxChars: 3000,
      },
      async *synthesise(text, speech, { signal }): AsyncGenerator<SynthesisPart, void, undefined> {
        const request = {
          headers: {
            'content-type': 'application/ssml+xml',
            'x-microsoft-outputformat': 'raw-16khz-16bit-mono-pcm',
          },
          body: ssml(text, speech, options.style),
        };
        const reply = await client.request('/cognitiveservices/v1', request, signal);
        yield* reply.sound({ encoding: 's16le', sampleRateHz: 16_000, channels: 1 });
      },
      async voices(signal): Promise<Voice[]> {
        const reply = await client.request('/cognitiveservices/voices/list', { method: 'GET' }, signal);
        const voices = await reply.json(voicesSchema);
        return voices.map(({ ShortName: id, LocalName: name = id, Locale: language }) => ({
          id,
          name,
          language,
        }));
      },
      close: async () => undefined,
    };
  },
});

/**
 * Returns the SSML document for a text. The text and every attribute are escaped, so text can never become
 * markup.
 * @param style a speaking style, in Microsoft's own namespace
 */
export function ssml(text: string, speech: VoiceOptions, style?: string): string {
  const { rate, pitchSemitones } = speech;
  const language = speech.language ?? speech.voice?.match(/^[a-z]{2,3}-[A-Z]{2}/)?.[0] ?? 'en-US';
  const voice = speech.voice ?? VOICES[language.slice(0, 2).toLowerCase()] ?? VOICES['en']!;
  let inner = escapeXml(text);
  if (rate !== undefined || pitchSemitones !== undefined) {
    const rateAttribute = rate === undefined ? '' : ` rate="${signed(Math.round((rate - 1) * 100))}%"`;
    const pitchAttribute = pitchSemitones === undefined ? '' : ` pitch="${signed(pitchSemitones)}st"`;
    inner = `<prosody${rateAttribute}${pitchAttribute}>${inner}</prosody>`;
  }
  if (style) inner = `<mstts:express-as style="${escapeXml(style)}">${inner}</mstts:express-as>`;
  return (
    '<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xmlns:mstts="https://www.w3.org/2001/mstts" ' +
    `xml:lang="${escapeXml(language)}"><voice name="${escapeXml(voice)}">${inner}</voice></speak>`
  );
}

function signed(value: number): string {
  return value < 0 ? String(value) : `+${value}`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Escapes a text for XML, without the characters that XML cannot hold. */
export function escapeXml(text: string): string {
  return text

    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Cs}/gu, '')
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
