import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, extname, join } from 'node:path';
import { z } from 'zod';
import { BridgeError } from '../../base/errors.js';
import { findProgram } from '../../base/child.js';
import type {
  EngineHost,
  SynthesisContext,
  SynthesisPart,
  TtsEngine,
  Voice,
  VoiceOptions,
} from '../engine.js';
import { defineEngine, findVoice } from '../engine-definition.js';
import { programSound } from '../program-sound.js';

const NAME = 'open-jtalk';
const INSTALL =
  "Install it with a dictionary and a voice: 'apt install open-jtalk open-jtalk-mecab-naist-jdic hts-voice-nitech-jp-atr503-m001' or 'brew install open-jtalk'.";
/** Maximum text in bytes: the program reads one line of 1,023 bytes (MAXBUFLEN in open_jtalk.c). */
const MAX_BYTES = 1000;
const MAX_VOICE_DEPTH = 3;

const DICTIONARIES = [
  '/var/lib/mecab/dic/open-jtalk/naist-jdic',
  '/usr/lib/mecab/dic/open-jtalk/naist-jdic',
  '/usr/share/open-jtalk/dic',
  '/usr/share/open_jtalk/open_jtalk_dic_utf_8-1.11',
  '/usr/local/share/open_jtalk/open_jtalk_dic_utf_8-1.11',
  '/usr/local/dic',
  '/opt/homebrew/opt/open-jtalk/dic',
  '/usr/local/opt/open-jtalk/dic',
  'C:\\open_jtalk\\dic',
  'C:\\open_jtalk\\open_jtalk_dic_utf_8-1.11',
];
const VOICE_FOLDERS = [
  '/usr/share/hts-voice',
  '/usr/local/share/hts-voice',
  '/usr/share/open-jtalk/voice',
  '/opt/homebrew/opt/open-jtalk/voice',
  '/usr/local/opt/open-jtalk/voice',
  'C:\\open_jtalk\\voice',
];

const optionsSchema = z.strictObject({
  program: z.string().min(1).default('open_jtalk').describe('Program name or path.'),
  dictionaryFolder: z.string().min(1).optional().describe('Folder of the dictionary (UTF-8).'),
  voiceFolder: z.string().min(1).optional().describe('Folder with voices (.htsvoice), searched in depth.'),
  idleMs: z.number().int().min(100).default(30_000).describe('Longest silence of the program, in ms.'),
  parallel: z.number().int().min(1).max(8).default(2).describe('Number of utterances side by side.'),
});
type Options = z.output<typeof optionsSchema>;

/** Open JTalk, if installed: Japanese, offline. A voice is the name of an .htsvoice file. */
export const openJtalk = defineEngine({
  name: NAME,
  summary: 'Open JTalk, Japanese, a program on this machine',
  options: optionsSchema,
  create: (options, host) => new OpenJtalkEngine(options, host),
});

class OpenJtalkEngine implements TtsEngine {
  readonly name = NAME;
  readonly capabilities;
  readonly #options: Options;
  readonly #host: EngineHost;
  #files: Promise<ReadonlyMap<string, string>> | undefined;

  constructor(options: Options, host: EngineHost) {
    this.#options = options;
    this.#host = host;
    this.capabilities = {
      ...({ streams: false, timing: 'none', volume: true } as const),
      parallel: options.parallel,
      maxBytes: MAX_BYTES,
    };
  }

  async *synthesise(
    text: string,
    { voice, rate, pitchSemitones, volume }: VoiceOptions,
    { signal }: SynthesisContext,
  ): AsyncGenerator<SynthesisPart, void, undefined> {
    const { program, idleMs } = this.#options;
    const files = await this.#voiceFiles();
    const { id } = findVoice(NAME, voicesOf(files), voice);
    const folder = await mkdtemp(join(tmpdir(), 'bridge-jtalk-'));
    try {
      const output = join(folder, 'speech.wav');
      const args = ['-x', this.#dictionary(), '-m', files.get(id)!, '-ow', output];
      if (rate !== undefined) args.push('-r', String(rate));
      if (pitchSemitones !== undefined) args.push('-fm', String(pitchSemitones));
      if (volume !== undefined) args.push('-g', String(20 * Math.log10(Math.max(volume, 0.001))));
      const call = { engine: NAME, program, args, idleMs, clock: this.#host.clock, signal, install: INSTALL };
      const stdin = `${text.replace(/\s+/g, ' ').trim()}\n`;
      const run = programSound({ ...call, stdin, writesFile: true });
      while (!(await run.next()).done);
      yield { kind: 'audio', bytes: await readFile(output) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new BridgeError('ENGINE_FAILED', `The engine ${NAME}: ${program} wrote no sound.`);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async voices(): Promise<Voice[]> {
    if ((await findProgram(this.#options.program)) === undefined) {
      throw new BridgeError(
        'ENGINE_MISSING',
        `The engine ${NAME} needs the program ${this.#options.program}, which is not on PATH.`,
        { advice: INSTALL },
      );
    }
    this.#dictionary();
    return voicesOf(await this.#voiceFiles());
  }

  async close(): Promise<void> {
    // There is nothing to close.
  }

  #dictionary(): string {
    const { dictionaryFolder } = this.#options;
    const folder = [dictionaryFolder ?? DICTIONARIES]
      .flat()
      .find((path) => existsSync(join(path, 'sys.dic')));
    if (folder !== undefined) return folder;
    const where = dictionaryFolder === undefined ? 'in the usual folders' : `in ${dictionaryFolder}`;
    throw new BridgeError('ENGINE_MISSING', `The engine ${NAME} has no dictionary (sys.dic) ${where}.`, {
      advice: `Name its folder with the engine option dictionaryFolder. ${INSTALL}`,
    });
  }

  /** Returns the voice files by name. */
  async #voiceFiles(): Promise<ReadonlyMap<string, string>> {
    const { voiceFolder } = this.#options;
    this.#files ??= findVoices([voiceFolder ?? VOICE_FOLDERS].flat());
    const files = await this.#files;
    if (files.size > 0) return files;
    this.#files = undefined;
    const where = voiceFolder === undefined ? 'in the usual folders' : `in ${voiceFolder}`;
    throw new BridgeError('ENGINE_MISSING', `The engine ${NAME} has no voice (.htsvoice) ${where}.`, {
      advice: `Name its folder with the engine option voiceFolder. ${INSTALL}`,
    });
  }
}

function voicesOf(files: ReadonlyMap<string, string>): Voice[] {
  return [...files.keys()].map((id) => ({ id, name: id, language: 'ja' }));
}

/** Finds voices below folders; the voice of the avatar's own character comes first. */
async function findVoices(folders: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const found: [string, string][] = [];
  const search = async (folder: string, depth: number): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && depth < MAX_VOICE_DEPTH) await search(path, depth + 1);
      else if (extname(entry.name) === '.htsvoice') found.push([basename(entry.name, '.htsvoice'), path]);
    }
  };
  for (const folder of folders) await search(folder, 0);
  const rank = ([name]: [string, string]): string => (name === 'mei_normal' ? ' ' : name);
  return new Map(found.sort((a, b) => rank(a).localeCompare(rank(b))));
}
