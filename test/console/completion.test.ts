import { describe, expect, it } from 'vitest';
import { commandCatalogue, type CatalogueEntry } from '../../src/agent/messages.js';
import { consoleModule } from '../support/console-module.js';

interface Suggestions {
  options: { line: string; label: string; entry?: CatalogueEntry }[];
  entry: CatalogueEntry | undefined;
  argument: number;
}
interface Completer {
  suggest(line: string, known?: { aliases?: string[] }): Suggestions;
}

const module = await consoleModule<{ Completer: new (entries: readonly CatalogueEntry[]) => Completer }>(
  'completion.js',
);
const completer = new module.Completer(commandCatalogue);
const lines = (line: string, aliases: string[] = []): string[] =>
  completer.suggest(line, { aliases }).options.map((option) => option.line);

describe('the completion of commands', () => {
  it('offers nothing for nothing', () => {
    expect(lines('')).toEqual([]);
    expect(lines('   ')).toEqual([]);
  });

  it('finds a command by its beginning first, in any case', () => {
    expect(lines('motion_a')[0]).toBe('MOTION_ADD|');
    expect(lines('MOTION_')).toContain('MOTION_CHANGE|');
  });

  it('finds a command by its name in code, and by what it does in either language', () => {
    expect(lines('motion.add')[0]).toBe('MOTION_ADD|');
    expect(lines('starts a motion')).toContain('MOTION_ADD|');
    expect(lines('モーションを始める')).toContain('MOTION_ADD|');
  });

  it('ends a command that takes no argument without a separator', () => {
    expect(lines('__AV_START')).toContain('__AV_START');
  });

  it('says which argument is being written, whatever separates them', () => {
    expect(completer.suggest('MOTION_ADD|0|nod')).toMatchObject({
      argument: 1,
      entry: { name: 'motion.add' },
    });
    expect(completer.suggest('__AV_SETMODEL,0')).toMatchObject({
      argument: 0,
      entry: { name: 'avatar.setModel' },
    });
    expect(completer.suggest('MENU|ADD|x').entry?.head).toBe('MENU|ADD');
  });

  it('takes the one of two commands with the same head that has room for the arguments', () => {
    expect(completer.suggest('VALUE_SET|x|1').entry?.name).toBe('value.set');
    expect(completer.suggest('VALUE_SET|x|1|2').entry?.name).toBe('value.setRandom');
  });

  it('offers the words of a choice, and the models that are there', () => {
    expect(lines('__AVCONF_DISABLEAUTOLIP,ar')).toEqual([
      '__AVCONF_DISABLEAUTOLIP,ARKIT',
      '__AVCONF_DISABLEAUTOLIP,ARKIT+AU',
    ]);
    expect(lines('MODEL_DELETE|m', ['mei', 'gene'])).toEqual(['MODEL_DELETE|mei']);
  });

  it('keeps what stands before the argument that it completes', () => {
    for (const line of lines('MOTION_ADD|0|nod|nod.vmd|F'))
      expect(line).toMatch(/^MOTION_ADD\|0\|nod\|nod\.vmd\|FULL/);
    expect(lines('MOTION_ADD|0|nod|nod.vmd|F')).toHaveLength(1);
  });

  it('has an answer for every command of the catalogue', () => {
    for (const { head } of commandCatalogue) {
      expect(lines(head).some((line) => line.startsWith(head))).toBe(true);
    }
  });
});
