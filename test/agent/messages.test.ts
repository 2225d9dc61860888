import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as commands from '../../src/agent/commands.js';
import {
  type CatalogueArgument,
  type CatalogueEntry,
  commandCatalogue,
  parseCommand,
} from '../../src/agent/messages.js';
import { encodeCommand } from '../../src/agent/wire.js';
import { BridgeError } from '../../src/base/errors.js';

const { avatar, camera, caption, lipSync, menu, model, motion, prompt, recog, textArea, timer } = commands;

type AnyBuilder = (...values: unknown[]) => string;

function builderOf(entry: CatalogueEntry): AnyBuilder {
  const [family = '', key = ''] = entry.name.split('.');
  return (commands as unknown as Record<string, Record<string, AnyBuilder>>)[family]![key]!;
}

function refusal(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    expect(error.code).toBe('COMMAND_INVALID');
    return error.message;
  }
}

const plain = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((text) => !/[|,=\\\r\n\0]|\p{Surrogate}/u.test(text));
const finite = (min: number, max: number): fc.Arbitrary<number> =>
  fc.double({ min, max, noNaN: true }).map((value) => (value === 0 ? 0 : value));

/** Any value that an argument of the catalogue takes. */
function valueFor(argument: CatalogueArgument): fc.Arbitrary<unknown> {
  const tuple = (size: number, min = -1e6, max = 1e6): fc.Arbitrary<number[]> =>
    fc.array(finite(min, max), { minLength: size, maxLength: size });
  switch (argument.kind) {
    case 'number': {
      const range = /from (-?\d+) to (-?\d+)/.exec(argument.rule);
      const min = Number(range?.[1] ?? /at least (-?\d+)/.exec(argument.rule)?.[1] ?? -1e9);
      const max = Number(range?.[2] ?? 1e9);
      return argument.rule.includes('whole') ? fc.integer({ min, max }) : finite(min, max);
    }
    case 'choice':
      return argument.rule === 'true or false' ? fc.boolean() : fc.constantFrom(...argument.choices!);
    case 'position':
    case 'rotation':
    case 'numbers':
      return tuple(argument.hint.split(',').length);
    case 'colour':
    case 'edge':
      return tuple(argument.hint.split(',').length, 0, 1);
    case 'list': {
      const count = /(\d+) to (\d+)/.exec(argument.rule);
      return fc.array(plain, {
        minLength: Number(count?.[1] ?? 1),
        maxLength: Math.min(9, Number(count?.[2] ?? 9)),
      });
    }
    case 'phonemes':
      return fc.array(fc.tuple(fc.constantFrom('a', 'pau', 'A', 'ky'), fc.integer({ min: 0, max: 5000 })), {
        minLength: 1,
        maxLength: 20,
      });
    case 'rates':
      return fc.dictionary(
        plain.filter((key) => key !== '__proto__'),
        finite(0, 1),
        { minKeys: 1, maxKeys: 4, noNullPrototype: true },
      );
    case 'shown text':
      return fc.array(plain, { minLength: 1, maxLength: 3 }).map((lines) => lines.join('\n'));
    case 'command':
      return fc.constantFrom('HELLO|a|b', 'MODEL_BINDFACE|0|あ|1', 'X');
    default:
      return plain;
  }
}

/** Values and options for a command, the way a caller gives them. */
function callOf(
  entry: CatalogueEntry,
): fc.Arbitrary<{ values: unknown[]; options: Record<string, unknown> }> {
  const required = entry.args.filter((argument) => !argument.optional);
  const optional = entry.args.filter((argument) => argument.optional);
  return fc
    .record({
      values: fc.tuple(...required.map(valueFor)),
      options: fc.tuple(...optional.map((argument) => fc.option(valueFor(argument), { nil: undefined }))),
      all: fc.boolean(),
      full: fc.tuple(...optional.map(valueFor)),
    })
    .map(({ values, options, all, full }) => {
      const given = all ? full : options;
      const last = given.findLastIndex((value) => value !== undefined);
      const named: Record<string, unknown> = {};
      optional.forEach(({ name, fallback }, i) => {
        // One without a fallback has to be there when one behind it is.
        const value = given[i] ?? (fallback === undefined && i < last ? full[i] : undefined);
        if (value !== undefined) named[name] = value;
      });
      return { values: [...values], options: named };
    });
}

describe('the catalogue', () => {
  it('has every family of the avatar, and a builder for each entry', () => {
    expect(commandCatalogue.length).toBeGreaterThan(100);
    expect(new Set(commandCatalogue.map((entry) => entry.name)).size).toBe(commandCatalogue.length);
    for (const entry of commandCatalogue) expect(builderOf(entry), entry.name).toBeTypeOf('function');
  });

  it('is plain data with help in both languages', () => {
    expect(JSON.parse(JSON.stringify(commandCatalogue))).toEqual(commandCatalogue);
    for (const entry of commandCatalogue) {
      expect(entry.en, entry.name).toMatch(/^[A-Z].{5,}[^.]$/);
      expect(entry.ja, entry.name).toMatch(/[\u3040-\u30ff]/);
      expect(entry.usage.startsWith(entry.head)).toBe(true);
    }
  });

  it('names the dangerous ones, and only those are refused without permission', () => {
    for (const entry of commandCatalogue) {
      const [call] = fc.sample(callOf(entry), { numRuns: 1, seed: 1 });
      const line = builderOf(entry)(...call!.values, call!.options);
      let code: string | undefined;
      try {
        encodeCommand(line);
      } catch (error) {
        code = (error as BridgeError).code;
      }
      expect(code, line).toBe(entry.danger === undefined ? undefined : 'COMMAND_DANGEROUS');
    }
    const dangerous = commandCatalogue.filter((entry) => entry.danger).map((entry) => entry.head);
    for (const head of [
      'EXECUTE',
      'NETWORK_GET',
      'KEY_POST',
      'OPEN_CONTENT',
      'PLUGIN_DISABLE',
      'SPEAK_START',
    ]) {
      expect(dangerous).toContain(head);
    }
  });

  it.each(commandCatalogue)(
    '$name makes lines that pass the wire and read back as what was given',
    (entry) => {
      fc.assert(
        fc.property(callOf(entry), ({ values, options }) => {
          const line = builderOf(entry)(...values, options);
          encodeCommand(line, { allowDangerous: true });
          const required = entry.args.filter((argument) => !argument.optional);
          const given = {
            ...Object.fromEntries(required.map(({ name }, i) => [name, values[i]])),
            ...options,
          };
          const parsed = parseCommand(line);
          expect(parsed?.command, line).toBe(entry.name);
          expect(parsed?.values).toMatchObject(given);
          // What was not given is the avatar's default, and only where something stands behind it.
          for (const name of Object.keys(parsed!.values)) {
            if (!(name in given))
              expect(entry.args.find((argument) => argument.name === name)?.fallback).toBeDefined();
          }
        }),
        { numRuns: 25 },
      );
    },
  );
});

describe('a line', () => {
  it('is read as the avatar reads it: empty arguments are passed over', () => {
    const nod = { command: 'motion.add', values: { alias: '0', motion: 'nod', file: 'nod.vmd' } };
    expect(parseCommand('MOTION_ADD|0|nod|nod.vmd')).toEqual(nod);
    expect(parseCommand('MOTION_ADD||0|nod||nod.vmd|')).toEqual(nod);
  });

  it.each([
    '',
    'HELLO|x',
    'MOTION_ADD|0|nod',
    'MOTION_DELETE|0|nod|x',
    'CAMERA|0,0,0|0,0|1|1',
    'STAGE|a,b,c|d',
  ])('%j is none of the catalogue, or does not fit', (line) => {
    expect(parseCommand(line)).toBeUndefined();
  });
});

describe('a builder', () => {
  it.each([
    [motion.add('0', 'nod', 'nod.vmd'), 'MOTION_ADD|0|nod|nod.vmd'],
    [motion.add('0', 'nod', 'nod.vmd', { range: 'PART' }), 'MOTION_ADD|0|nod|nod.vmd|PART'],
    [motion.add('0', 'nod', 'nod.vmd', { smooth: false }), 'MOTION_ADD|0|nod|nod.vmd|FULL|ONCE|OFF'],
    [motion.add('0', 'nod', 'nod.vmd', {}), 'MOTION_ADD|0|nod|nod.vmd'],
    [model.add('0', 'a.pmd', { position: [0, -13, 0] }), 'MODEL_ADD|0|a.pmd|0,-13,0'],
    [camera.set([0, 10, 0], [0, 0, 0], 50, 20), 'CAMERA|0,10,0|0,0,0|50|20'],
    [camera.set([0, 10, 0], [0, 0, 0], 50, 20, { model: '0' }), 'CAMERA|0,10,0|0,0,0|50|20|-1|0'],
    [textArea.set('t', 'one\r\ntwo'), 'TEXTAREA_SET|t|one\\ntwo'],
    [prompt.show('Tea or coffee?', ['tea', 'coffee']), 'PROMPT_SHOW|Tea or coffee?|tea|coffee'],
    [
      lipSync.start('0', [
        ['a', 300],
        ['pau', 50],
      ]),
      'LIPSYNC_START|0|a,300,pau,50',
    ],
    [
      menu.setItem('Gene', 0, 'smile', 'MODEL_BINDFACE|0|smile|1'),
      'MENU|SETITEM|Gene|0|smile|MODEL_BINDFACE|0|smile|1',
    ],
    [avatar.morphs({ smile: 0.5, blink: 1 }), '__AV_EXMORPH,smile=0.5,blink=1'],
    [avatar.autoLipOff('ALWAYS'), '__AVCONF_DISABLEAUTOLIP,ALWAYS'],
    [avatar.message('HELLO|世界'), '__AV_MESSAGE,HELLO|世界'],
    [recog.gain(0.5), 'RECOG_MODIFY|GAIN|0.5'],
  ])('makes %j', (line, expected) => {
    expect(line).toBe(expected);
  });

  it('refuses what would break or shift the line, naming command, argument and rule', () => {
    expect(refusal(() => motion.add('0', 'n|d', 'x.vmd'))).toMatch(
      /MOTION_ADD.*'n\|d' as 'motion'.*without \|/,
    );
    expect(refusal(() => motion.add('', 'nod', 'x.vmd'))).toMatch(/'alias'.*at least one character/);
    expect(refusal(() => motion.add('0', 'nod', 'a\nb'))).toMatch(/'file'.*line breaks/);
    expect(refusal(() => timer.start('t', Number.NaN))).toMatch(/NaN as 'seconds'.*finite/);
    expect(refusal(() => timer.start('t', -1))).toMatch(/'seconds'.*at least 0/);
    expect(refusal(() => camera.set([0, 0, Infinity], [0, 0, 0], 1, 1))).toMatch(
      /'position'.*3 finite numbers/,
    );
    expect(refusal(() => avatar.morphs({ smile: 1.5 }))).toMatch(/'rates'.*from 0 to 1/);
    expect(refusal(() => avatar.setModel('a,b'))).toMatch(/'alias'.*without a comma/);
    expect(refusal(() => lipSync.start('0', []))).toMatch(/'phonemes'.*at least one/);
    expect(refusal(() => prompt.show('q', new Array<string>(10).fill('i')))).toMatch(/'items'.*1 to 9/);
    expect(refusal(() => caption.start('c', 's', 'x', 1, 'CENTER', 2, 30))).toMatch(/'height'.*from 0 to 1/);
    expect(refusal(() => model.add('0', 'x.pmd', { parentBone: 'head' }))).toMatch(/needs 'parent'/);
  });

  it('refuses what its types forbid, too, for callers without types', () => {
    // @ts-expect-error an alias is text
    expect(refusal(() => motion.delete(0, 'nod'))).toMatch(/0 as 'alias'/);
    // @ts-expect-error the file is missing
    expect(refusal(() => motion.add('0', 'nod'))).toMatch(/undefined as 'file'/);
    // @ts-expect-error no such word
    expect(refusal(() => motion.add('0', 'nod', 'x', { play: 'TWICE' }))).toMatch(/'play'.*ONCE, LOOP/);
    // @ts-expect-error no such option
    expect(refusal(() => motion.add('0', 'nod', 'x', { plya: 'LOOP' }))).toMatch(
      /no option 'plya'; it has range/,
    );
    // @ts-expect-error two numbers are no place
    expect(refusal(() => model.add('0', 'x', { position: [1, 2] }))).toMatch(/'position'/);
  });
});
