import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTextFile, readTextFileSync } from '../../src/base/text-file.js';
import { readToken } from '../../src/base/token.js';
import { YamlFile } from '../../src/base/yaml-file.js';
import { Dictionary } from '../../src/tts/dictionary.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'text-file-'));
});
afterEach(() => rm(folder, { recursive: true }));

const TEXT = 'こんにちは = hello\r\n';
const UTF_16LE = Buffer.from(TEXT, 'utf16le');

async function file(bytes: Uint8Array): Promise<string> {
  const path = join(folder, 'file.txt');
  await writeFile(path, bytes);
  return path;
}

describe('readTextFile', () => {
  it.each([
    ['UTF-8', Buffer.from(TEXT)],
    ['UTF-8 with a byte order mark', Buffer.from(`\ufeff${TEXT}`)],
    ['UTF-16LE with a byte order mark', Buffer.concat([Buffer.from([0xff, 0xfe]), UTF_16LE])],
    [
      'UTF-16BE with a byte order mark',
      Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(UTF_16LE).swap16()]),
    ],
  ])('reads %s', async (_, bytes) => {
    const path = await file(bytes);
    expect(await readTextFile(path)).toBe(TEXT);
    expect(readTextFileSync(path)).toBe(TEXT);
  });

  it('reads ASCII in UTF-16 without a byte order mark', async () => {
    expect(await readTextFile(await file(Buffer.from('port: 1', 'utf16le')))).toBe('port: 1');
    expect(await readTextFile(await file(Buffer.from('port: 1', 'utf16le').swap16()))).toBe('port: 1');
  });

  it('refuses bytes that are no text, and names the file', async () => {
    const path = await file(Buffer.from([0x82, 0xb1, 0x82, 0xf1]));
    await expect(readTextFile(path)).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      message: `'${path}' is not UTF-8 text. Save it as UTF-8.`,
    });
    expect(() => readTextFileSync(join(folder, 'absent'))).toThrow(
      expect.objectContaining({ code: 'FILE_NOT_FOUND' }),
    );
  });

  it('serves configuration, token and dictionary files that PowerShell wrote', async () => {
    const utf16 = (text: string): Buffer => Buffer.from(`\ufeff${text}`, 'utf16le');
    const token = 'abcdefghijklmnopqrstuvwxyz';
    expect(readToken({ tokenFile: await file(utf16(`${token}\r\n`)) })).toBe(token);
    const yaml = await YamlFile.read(await file(utf16('model: 初音\r\n')), 'The configuration');
    expect(yaml.value()).toEqual({ model: '初音' });
    expect((await Dictionary.load(await file(utf16(TEXT)))).apply('こんにちは')).toBe('hello');
  });
});
