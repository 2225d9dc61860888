import { bytesOf } from '../sound.js';
import { wavOf } from '../wav.js';
import { EngineServer, type Manners, textField } from './engine-server.js';
import { speechMs, tone } from './sound.js';

/** The rate of COEIROINK's models, in which its mora durations count. */
export const COEIROINK_RATE_HZ = 44_100;

/** A stand-in of COEIROINK v2 with one speaker of two styles. */
export function startCoeiroink(manners: Manners = {}): Promise<EngineServer> {
  const speakers = [
    {
      speakerName: 'つくよみちゃん',
      speakerUuid: '3c37646f-3881-5374-2a83-149267990abc',
      version: '2.0.0',
      styles: [
        { styleName: 'れいせい', styleId: 0, base64Icon: '' },
        { styleName: 'おしとやか', styleId: 5, base64Icon: '' },
      ],
    },
  ];
  return EngineServer.start(({ path, json }) => {
    if (path === '/v1/speakers') return { body: speakers };
    const text = textField(json, 'text');
    if (path === '/v1/estimate_prosody') {
      const moras = Array.from(text, (hira) => ({ phoneme: 'k-o', hira, accent: 0 }));
      return { body: { plain: ['^', '$'], detail: [moras] } };
    }
    const speed = Number(json?.['speedScale'] ?? 1);
    if (path === '/v1/synthesis') {
      const rateHz = Number(json?.['outputSamplingRate'] ?? 24_000);
      return { body: wavOf(tone(speechMs(text) / speed, rateHz), rateHz) };
    }
    if (path !== '/v1/predict_with_duration') return undefined;
    const ms = speechMs(text) / speed;
    const count = Array.from(text).length;
    const at = (share: number): number => Math.round((share * ms * COEIROINK_RATE_HZ) / 1000);
    const range = (from: number, to: number) => ({ start: at(from), end: at(to) });
    const moraDurations = [
      {
        mora: 'pau',
        hira: '',
        phonemePitches: [{ phoneme: 'pau', wavRange: range(0, 0.1) }],
        wavRange: range(0, 0.1),
      },
      ...Array.from({ length: count }, (_, i) => {
        const [from, middle, to] = [0, 0.4, 1].map((part) => 0.1 + (0.8 * (i + part)) / count) as [
          number,
          number,
          number,
        ];
        const phonemePitches = [
          { phoneme: 'k', wavRange: range(from, middle) },
          { phoneme: 'o', wavRange: range(middle, to) },
        ];
        return { mora: 'k-o', hira: 'こ', phonemePitches, wavRange: range(from, to) };
      }),
      {
        mora: 'pau',
        hira: '',
        phonemePitches: [{ phoneme: 'pau', wavRange: range(0.9, 1) }],
        wavRange: range(0.9, 1),
      },
    ];
    const wav = wavOf(tone(ms, COEIROINK_RATE_HZ), COEIROINK_RATE_HZ);
    return {
      body: { wavBase64: wav.toString('base64'), moraDurations, startTrimBuffer: 0, endTrimBuffer: 0 },
    };
  }, manners);
}

/** A stand-in of Style-Bert-VITS2's server: two models, text of 100 characters at most, 44.1 kHz. */
export function startStyleBertVits2(manners: Manners = {}): Promise<EngineServer> {
  return EngineServer.start(({ path, query }) => {
    if (path === '/models/info') {
      return {
        body: {
          '0': { config_path: 'model_assets/jvnv-F1-jp/config.json', spk2id: { 'jvnv-F1-jp': 0 } },
          '1': { config_path: 'model_assets\\amitaro\\config.json', spk2id: { amitaro: 0, other: 1 } },
        },
      };
    }
    if (path !== '/voice') return undefined;
    const text = query.get('text') ?? '';
    if (Array.from(text).length > 100) {
      return { status: 422, body: { detail: [{ msg: 'String should have at most 100 characters' }] } };
    }
    const ms = speechMs(text) * Number(query.get('length') ?? 1);
    return { body: wavOf(tone(ms, 44_100), 44_100) };
  }, manners);
}

/** A stand-in of GPT-SoVITS: 32 kHz, one WAV whose head says 0 bytes when it streams. */
export function startGptSovits(manners: Manners = {}): Promise<EngineServer> {
  return EngineServer.start(({ path, query }) => {
    if (path !== '/tts') return undefined;
    if (!query.get('ref_audio_path')) return { status: 400, body: { message: 'ref_audio_path is required' } };
    const samples = tone(speechMs(query.get('text') ?? '') / Number(query.get('speed_factor') ?? 1), 32_000);
    if (query.get('streaming_mode') !== 'true') return { body: wavOf(samples, 32_000) };
    return { body: Buffer.concat([wavOf(new Int16Array(0), 32_000), bytesOf(samples)]), chunked: true };
  }, manners);
}

/** A stand-in of Piper's server. `old` builds answer at the top only. */
export function startPiper(manners: Manners & { old?: boolean } = {}): Promise<EngineServer> {
  return EngineServer.start(({ path, json, method }) => {
    if (path === '/voices') return { body: { 'en_US-lessac-medium': { language: { code: 'en_US' } } } };
    if (method !== 'POST' || path !== (manners.old ? '/' : '/synthesize')) return undefined;
    const ms = speechMs(textField(json, 'text')) * Number(json?.['length_scale'] ?? 1);
    return { body: wavOf(tone(ms, 22_050), 22_050) };
  }, manners);
}
