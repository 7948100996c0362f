import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Script } from '../testing/interaction/index.js';

/**
 * Runs the scripts in testdata/: commands, `----`, the printed trace, an empty line. A trace that
 * differs is a change of the protocol: `PAWL_REWRITE=1` writes the traces anew, to be read again.
 */
const TESTDATA = new URL('../../testdata/', import.meta.url);
const REWRITE = process.env.PAWL_REWRITE === '1';

function commandsOf(head: string): readonly string[] {
  return head.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

function replay(source: string): string {
  const script = new Script();
  const blocks = source.trim().split(/\n\n+/);
  const output = blocks.map((block) => {
    const [head = ''] = block.split('\n----');
    const commands = commandsOf(head);
    if (commands.length === 0) return head;
    return `${head}\n----\n${commands.map((line) => script.run(line)).join('\n')}`;
  });
  return `${output.join('\n\n')}\n`;
}

describe('golden scripts of the consensus core', () => {
  const names = readdirSync(TESTDATA).filter((name) => name.endsWith('.txt'));

  it.each(names)('%s', (name) => {
    const file = new URL(name, TESTDATA);
    const source = readFileSync(file, 'utf8');
    const trace = replay(source);
    if (REWRITE) writeFileSync(file, trace);
    else expect(trace).toBe(source);
    expect(trace, 'a command that cannot be carried out').not.toMatch(/^error:/m);
  });

  it('has enough of them', () => {
    const commands = names.flatMap((name) => {
      const blocks = readFileSync(new URL(name, TESTDATA), 'utf8').split(/\n\n+/);
      return blocks.flatMap((block) => commandsOf(block.split('\n----')[0] ?? ''));
    });
    expect(names.length).toBeGreaterThanOrEqual(60);
    expect(commands.length).toBeGreaterThanOrEqual(600);
  });
});
