import { foundedBy } from '../../core/index.js';
import type { ConfigurationChange, DurableState, Entry, EntryKind } from '../../core/index.js';
import type { Message, RaftConfig, SnapshotMark } from '../../core/index.js';
import { printConfiguration, printEntry, printMessage, printStatus } from './print.js';
import { ScriptNode } from './script-node.js';

type Options = ReadonlyMap<string, string>;
type Command = (words: readonly string[], options: Options) => void;

/** Rounds of work and delivery after which a cluster that goes on is not at rest. */
const SETTLE_ROUNDS = 200;

/**
 * Runs commands on a cluster in memory and prints what follows from each. Nothing happens by itself:
 * messages wait until they are delivered, work until it is done. `testdata/README.md` tells the
 * commands and how to read a trace.
 */
export class Script {
  readonly #nodes = new Map<string, ScriptNode>();
  readonly #held = new Set<string>();
  readonly #cut = new Set<string>();
  readonly #commands: ReadonlyMap<string, Command>;
  #network: Message[] = [];
  #lines: string[] = [];

  constructor() {
    this.#commands = new Map<string, Command>([
      ...this.#inputs(),
      ...this.#disks(),
      ...this.#links(),
      ...this.#views(),
    ]);
  }

  /** The trace of one command; an `error:` line for one that cannot be carried out. */
  run(line: string): string {
    this.#lines = [];
    const all = line.split(' ').filter((word) => word !== '');
    const quiet = all[0] === 'quiet';
    const [name = '', ...rest] = quiet ? all.slice(1) : all;
    const words = rest.filter((word) => !word.includes('='));
    const options = rest.filter((word) => word.includes('='));
    try {
      const command = this.#commands.get(name);
      if (command === undefined) throw new Error(`no command ${name}`);
      command(words, new Map(options.map((word) => word.split('=') as [string, string])));
    } catch (error) {
      this.#print(`error: ${(error as Error).message}`);
      return this.#lines.join('\n');
    }
    if (quiet) {
      this.#lines = [];
      for (const node of this.#nodes.values()) this.#printStatus(node);
    }
    return this.#lines.length === 0 ? 'ok' : this.#lines.join('\n');
  }

  #inputs(): [string, Command][] {
    const input = (run: (node: ScriptNode, words: readonly string[]) => void): Command => {
      return ([id = '', ...words]) => {
        const node = this.#node(id);
        run(node, words);
        this.#flush(node);
      };
    };
    return [
      ['new', (words, options) => words.forEach((id) => this.#create(id, words, options))],
      ['tick', input(({ core }, [times]) => repeat(Number(times ?? 1), () => core.tick()))],
      ['campaign', input(({ core }) => core.campaign())],
      [
        'propose',
        input(({ core }, texts) => {
          for (const text of texts)
            this.#printOutcome(core.propose(new TextEncoder().encode(text)));
        }),
      ],
      [
        'propose-empty',
        input(({ core }, [times]) =>
          repeat(Number(times), () => this.#printOutcome(core.propose(new Uint8Array(0)))),
        ),
      ],
      ['change', input(({ core }, words) => this.#printOutcome(core.change(changeOf(words))))],
      [
        'transfer',
        input(({ core }, [to = '']) => {
          if (!core.transfer(to)) this.#print('refused');
        }),
      ],
      [
        'read',
        input(({ core }, [id]) => {
          if (!core.read(Number(id))) this.#print('refused: no leader is known');
        }),
      ],
      ['compact', input((node, [index]) => node.compact(Number(index)))],
      ['unreachable', input(({ core }, [to = '']) => core.unreachable(to))],
      ['snapshot-sent', input(({ core }, [to = '']) => core.snapshotEnded(to, true))],
      ['snapshot-failed', input(({ core }, [to = '']) => core.snapshotEnded(to, false))],
    ];
  }

  #disks(): [string, Command][] {
    return [
      ['take', ([id = '']) => this.#node(id).take()],
      ['further', ([id = '']) => this.#node(id).further()],
      ['apply-slowly', (ids) => ids.forEach((id) => this.#node(id).applySlowly())],
      ['applied', ([id = '', index]) => this.#node(id).applied(Number(index))],
      ['write', ([id = '']) => this.#node(id).write()],
      ['finish', ([id = '']) => this.#send(this.#node(id), this.#node(id).finish())],
      ['work', (ids) => ids.forEach((id) => this.#send(this.#node(id), this.#node(id).work()))],
      ['crash', ([id = '', written]) => this.#node(id).crash(written === 'written')],
      [
        'restart',
        (ids) =>
          ids.forEach((id) => {
            this.#node(id).restart();
            this.#printStatus(this.#node(id));
          }),
      ],
    ];
  }

  #links(): [string, Command][] {
    const each = (run: (link: string) => void): Command => {
      return (words) => words.flatMap((word) => this.#linksOf(word)).forEach(run);
    };
    return [
      ['deliver', (words, options) => this.#take(words, options).forEach((m) => this.#deliver(m))],
      ['drop', (words, options) => this.#take(words, options).forEach((m) => this.#lost(m))],
      ['double', (words, options) => this.#double(words, options)],
      ['reverse', (words, options) => this.#reverse(words, options)],
      ['hold', each((link) => this.#held.add(link))],
      ['release', each((link) => this.#held.delete(link))],
      ['cut', each((link) => this.#cut.add(link))],
      ['heal', () => this.#cut.clear()],
      ['settle', (words) => this.#settle(words)],
      ['step', ([id = '', type = ''], options) => this.#step(this.#node(id), type, options)],
    ];
  }

  #views(): [string, Command][] {
    const all = (words: readonly string[]): readonly ScriptNode[] =>
      words.length === 0 ? [...this.#nodes.values()] : words.map((id) => this.#node(id));
    return [
      ['status', (words) => all(words).forEach((node) => this.#printStatus(node))],
      ['network', () => this.#network.forEach((message) => this.#print(printMessage(message)))],
      [
        'log',
        (words) =>
          all(words).forEach((node) => {
            const { snapshot } = node.disk;
            const from = snapshot.index === 0 ? '' : `snapshot ${snapshot.index}/${snapshot.term} `;
            this.#print(`${node.id}: ${from}${node.log.map(printEntry).join(' ')}`);
          }),
      ],
      [
        'disk',
        (words) =>
          all(words).forEach(({ id, disk }) => {
            const { term, vote, commit } = disk.hardState;
            const log = disk.entries.map(printEntry).join(' ');
            const from = disk.snapshot.index === 0 ? '' : `snapshot ${disk.snapshot.index} `;
            this.#print(
              `${id} disk: term ${term} vote ${vote ?? '-'} commit ${commit} ${from}${log}`,
            );
          }),
      ],
      [
        'progress',
        ([id = '']) => {
          for (const [to, progress] of this.#node(id).core.leading?.progress ?? []) {
            const { state, match, counted, next, paused, active } = progress;
            const flags = [paused && 'paused', counted < match && 'doubted', !active && 'silent'];
            const marks = flags.filter((mark) => mark !== false).join(' ');
            this.#print(`${to}: ${state} match ${match} next ${next} ${marks}`.trimEnd());
          }
        },
      ],
      [
        'configuration',
        (words) =>
          all(words)
            .filter(({ up }) => up)
            .forEach(({ id, core }) =>
              this.#print(`${id}: ${printConfiguration(core.status.configuration)}`),
            ),
      ],
    ];
  }

  #create(id: string, ids: readonly string[], options: Options): void {
    const number = (key: string, otherwise: number): number =>
      Number(options.get(key) ?? otherwise);
    // Each node waits one tick longer than the one before it in the alphabet.
    const wait = id.charCodeAt(0) - 'a'.charCodeAt(0);
    const config: RaftConfig = {
      id,
      heartbeatTicks: number('heartbeat', 1),
      electionTicks: number('election', 10),
      maxUncommittedBytes: number('max-uncommitted', 10_000),
      maxApplyBytes: number('max-apply', 10_000),
      maxMessageBytes: number('max-message', 10_000),
      maxInflightMessages: number('window', 8),
      maxInflightBytes: number('window-bytes', 10_000),
      maxReads: number('max-reads', 8),
      catchUpEntries: number('catch-up', 2),
      trailingBytes: number('trailing', 0),
      rng: { next: () => 0, below: (bound) => wait % bound },
    };
    const voters =
      options
        .get('voters')
        ?.split(',')
        .filter((id) => id !== '') ?? ids;
    const learners = options.get('learners')?.split(',') ?? [];
    const disk = diskOf({ ...foundedBy(voters), learners }, options);
    const node = new ScriptNode(config, disk, (line) => this.#print(line));
    this.#nodes.set(id, node);
    this.#printStatus(node);
  }

  #step(node: ScriptNode, type: string, options: Options): void {
    const number = (key: string): number => Number(options.get(key) ?? 0);
    const position = (key: string): { index: number; term: number } => {
      const [index = 0, term = 0] = (options.get(key) ?? '0/0').split('/').map(Number);
      return { index, term };
    };
    const log = position('log');
    const after = position('after');
    const fields = {
      type,
      from: options.get('from') ?? '',
      to: node.id,
      term: number('term'),
      lastIndex: log.index,
      lastTerm: log.term,
      transfer: options.has('transfer'),
      granted: options.get('granted') === 'yes',
      previousIndex: after.index,
      previousTerm: after.term,
      entries: entriesOf(options.get('terms'), after.index),
      commit: number('commit'),
      index: number('has'),
      round: number('round'),
      id: number('id'),
      snapshot: { ...position('snapshot'), configuration: node.core.status.configuration },
    };
    this.#deliver(fields as unknown as Message);
  }

  /** Takes matching messages off the network: `a>b`, `a>`, `>b`; all that are not held if none is named. */
  #take(words: readonly string[], options: Options): readonly Message[] {
    const type = options.get('type');
    const links = words.flatMap((word) => this.#linksOf(word));
    let left = Number(options.get('count') ?? Infinity);
    const taken = this.#network.filter(({ from, to, ...message }) => {
      const link = `${from}>${to}`;
      const named = links.length === 0 ? !this.#held.has(link) : links.includes(link);
      return named && (type === undefined || message.type === type) && (left -= 1) >= 0;
    });
    this.#network = this.#network.filter((message) => !taken.includes(message));
    return taken;
  }

  #reverse(words: readonly string[], options: Options): void {
    const turned = [...this.#take(words, options)].reverse();
    this.#network.push(...turned);
  }

  #double(words: readonly string[], options: Options): void {
    const copied = this.#take(words, options);
    this.#network.push(...copied, ...copied.map((message) => ({ ...message })));
  }

  #linksOf(word: string): readonly string[] {
    const [from = '', to = ''] = word.includes('>') ? word.split('>') : [word, '*'];
    const ids = [...this.#nodes.keys()];
    if (to === '*')
      return ids.flatMap((id) => (id === from ? [] : [`${from}>${id}`, `${id}>${from}`]));
    const senders = from === '' ? ids : [from];
    const receivers = to === '' ? ids : [to];
    return senders.flatMap((a) => receivers.filter((b) => b !== a).map((b) => `${a}>${b}`));
  }

  #deliver(message: Message): void {
    this.#print(printMessage(message));
    const node = this.#node(message.to);
    if (!node.up) return this.#print(`${message.to} is down`);
    if (!node.core.step(message)) this.#print('not sound: dropped');
    this.#flush(node);
  }

  #lost(message: Message): void {
    this.#print(`lost: ${printMessage(message)}`);
  }

  /** Works and delivers until nothing is left to do, for some nodes or all that are up. */
  #settle(words: readonly string[]): void {
    const within = (id: string): boolean => words.length === 0 || words.includes(id);
    for (let round = 0; round < SETTLE_ROUNDS; round += 1) {
      const working = [...this.#nodes.values()].filter((node) => within(node.id) && node.hasWork);
      for (const node of working) this.#send(node, node.work());
      const due = this.#network.filter(
        ({ from, to }) =>
          within(to) && this.#nodes.get(to)?.up === true && !this.#held.has(`${from}>${to}`),
      );
      this.#network = this.#network.filter((message) => !due.includes(message));
      for (const message of due) this.#deliver(message);
      if (working.length === 0 && due.length === 0) return;
    }
    throw new Error('the cluster never comes to rest');
  }

  #flush(node: ScriptNode): void {
    this.#send(node, []);
  }

  /** What was promised by work that is done now, and what may be sent at any time. */
  #send(node: ScriptNode, written: readonly Message[]): void {
    node.notice();
    for (const message of [...written, ...node.core.messages()]) {
      const isCut = this.#cut.has(`${message.from}>${message.to}`);
      if (isCut) this.#print(`cut off: ${printMessage(message)}`);
      else this.#network.push(message);
    }
  }

  #printOutcome(outcome: ReturnType<ScriptNode['core']['propose']>): void {
    if (!outcome.ok) this.#print(`refused: ${outcome.reason}`);
  }

  #printStatus(node: ScriptNode): void {
    this.#print(`${node.id}: ${node.up ? printStatus(node.core.status) : 'down'}`);
  }

  #print(line: string): void {
    this.#lines.push(line);
  }

  #node(id: string): ScriptNode {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }
}

function repeat(times: number, run: () => void): void {
  for (let left = times; left > 0; left -= 1) run();
}

/** `+a` a voter, `~a` a learner, `-a` removed. */
function changeOf(words: readonly string[]): ConfigurationChange {
  const named = (sign: string): string[] =>
    words.filter((word) => word.startsWith(sign)).map((word) => word.slice(1));
  return { addVoters: named('+'), addLearners: named('~'), remove: named('-') };
}

function diskOf(configuration: SnapshotMark['configuration'], options: Options): DurableState {
  const entries = entriesOf(options.get('terms'), 0);
  const term = Number(options.get('term') ?? entries.at(-1)?.term ?? 0);
  const commit = Number(options.get('commit') ?? 0);
  return {
    hardState: { term, vote: options.get('vote') ?? null, commit },
    snapshot: { index: 0, term: 0, configuration },
    entries,
  };
}

/** Commands of the terms `1,1,2`, behind `after`. */
function entriesOf(terms: string | undefined, after: number): readonly Entry[] {
  const kind: EntryKind = 'command';
  return (terms ?? '')
    .split(',')
    .filter((term) => term !== '')
    .map((term, at) => {
      const index = after + at + 1;
      return { index, term: Number(term), kind, data: new TextEncoder().encode(`x${index}`) };
    });
}
