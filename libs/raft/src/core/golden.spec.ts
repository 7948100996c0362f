import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { RaftCore } from './raft-core.js';
import type { DurableState, RaftConfig } from './raft-core.js';
import type { Entry, Ready } from './types.js';
import { EMPTY_STATE } from './index.js';

/**
 * Runs the scripts in testdata/: a command, `----`, the printed trace, an empty line.
 * `PAWL_REWRITE=1` writes the traces anew. The harness keeps what was written as a disk would:
 * `write` makes it durable, `lose` drops the outstanding work, `restart` starts from the disk.
 */
const TESTDATA = new URL('../../testdata/', import.meta.url);
const REWRITE = process.env.PAWL_REWRITE === '1';

class Script {
  #core: RaftCore | null = null;
  #config: RaftConfig | null = null;
  #disk: DurableState = EMPTY_STATE;
  #outstanding: Ready | null = null;

  run(line: string): string {
    const [command = '', ...rest] = line.split(' ');
    const options = new Map(rest.map((word) => word.split('=') as [string, string]));
    try {
      return this.#run(command, rest, options);
    } catch (error) {
      return `error: ${(error as Error).message}`;
    }
  }

  #run(command: string, rest: readonly string[], options: ReadonlyMap<string, string>): string {
    switch (command) {
      case 'new':
        this.#config = {
          id: options.get('id') ?? 'a',
          voters: (options.get('voters') ?? 'a').split(','),
          electionTicks: Number(options.get('election') ?? 3),
          maxUncommittedBytes: Number(options.get('max-uncommitted') ?? 1000),
          maxReadyBytes: Number(options.get('max-ready') ?? 1000),
        };
        return this.#start();
      case 'restart':
        return this.#start();
      case 'tick':
        for (let left = Number(rest[0] ?? 1); left > 0; left -= 1) this.core.tick();
        return this.#status();
      case 'campaign':
        this.core.step({ type: 'campaign' });
        return this.#status();
      case 'vote-response':
        this.core.step({
          type: 'vote-response',
          from: options.get('from') ?? 'a',
          term: Number(options.get('term')),
          granted: options.get('granted') !== 'false',
        });
        return this.#status();
      case 'append-response':
        this.core.step({
          type: 'append-response',
          from: options.get('from') ?? 'a',
          term: Number(options.get('term')),
          index: Number(options.get('index')),
        });
        return this.#status();
      case 'propose':
        return rest.map((text) => JSON.stringify(this.core.propose(encode(text)))).join('\n');
      default:
        return this.#work(command, rest);
    }
  }

  #work(command: string, rest: readonly string[]): string {
    switch (command) {
      case 'ready':
        if (!this.core.hasReady) return 'nothing to do';
        this.#outstanding = this.core.ready();
        return printReady(this.#outstanding);
      case 'write':
        this.#write();
        return 'durable';
      case 'advance':
        this.core.advance();
        this.#outstanding = null;
        return this.#status();
      case 'lose':
        this.#outstanding = null;
        return this.#start();
      case 'settle': {
        const traces: string[] = [];
        while (this.core.hasReady) {
          this.#outstanding = this.core.ready();
          traces.push(printReady(this.#outstanding));
          this.#write();
          this.core.advance();
        }
        return [...traces, this.#status()].join('\n');
      }
      case 'compact': {
        const index = Number(rest[0]);
        const snapshot = { index, term: this.core.termAt(index) };
        this.core.compact(index);
        const entries = this.#disk.entries.filter((entry) => entry.index > index);
        this.#disk = { ...this.#disk, snapshot, entries };
        return `${this.#status()} on disk: snapshot ${index}/${snapshot.term} +${entries.length}`;
      }
      case 'status':
        return this.#status();
      default:
        throw new Error(`unknown command ${command}`);
    }
  }

  get core(): RaftCore {
    if (this.#core === null) throw new Error('no node');
    return this.#core;
  }

  #start(): string {
    if (this.#config === null) throw new Error('no node');
    this.#core = new RaftCore(this.#config, this.#disk);
    return this.#status();
  }

  #write(): void {
    if (this.#outstanding === null) throw new Error('nothing is outstanding');
    const { hardState, entries } = this.#outstanding;
    this.#disk = {
      ...this.#disk,
      hardState: hardState ?? this.#disk.hardState,
      entries: [...this.#disk.entries, ...entries],
    };
  }

  #status(): string {
    const { role, leader, term, commit, applied, last } = this.core.status;
    return `${role} leader=${leader ?? '-'} term=${term} commit=${commit} applied=${applied} last=${last}`;
  }
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function printReady({ hardState, entries, mustSync, committedEntries }: Ready): string {
  const lines = [`ready sync=${mustSync}`];
  if (hardState !== null) {
    const { term, vote, commit } = hardState;
    lines.push(`  hard state term=${term} vote=${vote ?? '-'} commit=${commit}`);
  }
  if (entries.length > 0) lines.push(`  write ${entries.map(printEntry).join(' ')}`);
  if (committedEntries.length > 0) {
    lines.push(`  apply ${committedEntries.map(printEntry).join(' ')}`);
  }
  return lines.join('\n');
}

function printEntry({ index, term, kind, data }: Entry): string {
  const what = kind === 'noop' ? 'noop' : JSON.stringify(new TextDecoder().decode(data));
  return `${index}/${term}:${what}`;
}

function replay(source: string): string {
  const script = new Script();
  const output: string[] = [];
  for (const block of source.trim().split(/\n\n+/)) {
    const [head = ''] = block.split('\n----');
    output.push(head);
    const command = head.split('\n').filter((line) => !line.startsWith('#'));
    if (command.length === 0) continue;
    output[output.length - 1] += `\n----\n${command.map((line) => script.run(line)).join('\n')}`;
  }
  return `${output.join('\n\n')}\n`;
}

describe('golden scripts of the consensus core', () => {
  const names = readdirSync(TESTDATA).filter((name) => name.endsWith('.txt'));

  it.each(names)('%s', (name) => {
    const file = new URL(name, TESTDATA);
    const source = readFileSync(file, 'utf8');
    const trace = replay(source);
    if (REWRITE) writeFileSync(file, trace);
    expect(REWRITE ? trace : source).toBe(trace);
  });

  it('has scripts to run', () => {
    expect(names.length).toBeGreaterThanOrEqual(6);
  });
});
