import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HistoryItem, RolloutView } from '@pawl/contracts';
import { eventually } from '../support/eventually.js';
import { CLI, EXAMPLES } from '../support/stack-paths.js';
import { startStack, type TestStack } from '../support/stack.js';

const ADDRESS = 'acme/app';

let stack: TestStack;
let folder: string;
beforeAll(async () => {
  stack = await startStack();
  folder = await mkdtemp(join(tmpdir(), 'pawl-cli-'));
});
afterAll(async () => {
  await stack?.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Running {
  /** What it has printed so far. */
  out(): string;
  readonly finished: Promise<Finished>;
  interrupt(): void;
}

/** The real command, which finds the server through the data folder. */
function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const { PAWL_URL: _url, VISUAL: _visual, ...inherited } = process.env;
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: folder,
    env: {
      ...inherited,
      USER: 'ada',
      TMPDIR: folder,
      PAWL_DATA_DIR: stack.controlPlane.dataFolder,
      ...env,
    },
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => void (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => void (err += chunk.toString()));
  child.stdin.end('from: standard input\n');
  const closed = once(child, 'close') as Promise<[number | null]>;
  return {
    out: () => out,
    finished: closed.then(([code]) => ({ code, out, err })),
    interrupt: () => void child.kill('SIGINT'),
  };
}

const pawl = (...args: string[]): Promise<Finished> => start(args).finished;

async function json<T>(...args: string[]): Promise<T> {
  const { code, out, err } = await pawl(...args, '-o', 'json');
  expect(code, err).toBe(0);
  return JSON.parse(out) as T;
}

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

describe('pawl config', () => {
  it('puts YAML and JSON, and gets it back', async () => {
    const yaml = await file('app.yaml', 'limits:\n  maxItems: 20\nname: Über\n');
    const put = await pawl('config', 'put', ADDRESS, '-f', yaml, '-m', 'first');
    expect(put).toMatchObject({ code: 0, err: '' });
    expect(put.out).toContain(`${ADDRESS} version 1`);

    const refused = await pawl('config', 'put', ADDRESS, '-f', yaml);
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toContain('--expect 1');

    const written = await json('config', 'put', ADDRESS, '-f', '-', '--expect', '1');
    expect(written).toMatchObject({ address: ADDRESS, version: 2, author: 'ada' });
    expect(await json('config', 'get', ADDRESS)).toMatchObject({
      version: 2,
      document: { from: 'standard input' },
    });
    const first = await pawl('config', 'get', ADDRESS, '--version', '1');
    expect(first.out).toBe(
      `${first.out.split('\n', 1)[0]}\n# first\nlimits:\n  maxItems: 20\nname: Über\n`,
    );
  });

  it('opens the editor and writes what comes back', async () => {
    const editor = await file(
      'editor.mjs',
      `import { readFileSync, writeFileSync } from 'node:fs';
       const path = process.argv.at(-1);
       writeFileSync(path, readFileSync(path, 'utf8').replace('standard input', process.env.EDIT));`,
    );
    const edit = (to: string) =>
      start(['config', 'edit', ADDRESS, '-m', 'by hand'], {
        EDITOR: `${process.execPath} ${editor}`,
        EDIT: to,
      }).finished;
    expect(await edit('standard input')).toMatchObject({ code: 0, out: 'nothing changed\n' });
    expect(await edit('an editor')).toMatchObject({
      code: 0,
      err: 'note: this is version 2; nothing is released here yet\n',
    });
    expect(await stack.admin().getConfig(ADDRESS)).toMatchObject({
      version: 3,
      document: { from: 'an editor' },
      message: 'by hand',
    });
    const broken = await start(['config', 'edit', ADDRESS], { EDITOR: 'false' }).finished;
    expect(broken).toMatchObject({ code: 1, out: '' });
  });

  it('shows differences and the history', async () => {
    const diff = await json<{ patch: unknown[] }>('config', 'diff', ADDRESS, '2', '3');
    expect(diff.patch).toEqual([{ op: 'replace', path: '/from', value: 'an editor' }]);
    const history = await json<{ items: HistoryItem[] }>('config', 'history', ADDRESS);
    expect(history.items.map(({ version, author }) => [version, author])).toEqual([
      [3, 'ada'],
      [2, 'ada'],
      [1, 'ada'],
    ]);
    const table = await pawl('config', 'history', ADDRESS);
    expect(table.out.split('\n')[0]).toMatch(/^WHEN +WHO +WHAT +VERSION/);
  });
});

describe('pawl promote, status, wait, rollback, explain', () => {
  it('releases, follows the rollout and waits for it', async () => {
    const early = await pawl('wait', ADDRESS, '--timeout', '300ms');
    expect(early).toMatchObject({ code: 3, out: '' });

    expect(await json('promote', ADDRESS, '--reason', 'go')).toMatchObject({
      state: 'idle',
      stableVersion: 3,
    });
    const sdk = await stack.connectSdk({ consumerId: 'easy' });
    await sdk.open(ADDRESS);
    const waited = await pawl('wait', ADDRESS, '--applied', '100%', '--timeout', '30s');
    expect(waited).toMatchObject({ code: 0, err: '' });
    expect(waited.out).toContain('applied by 1 of 1');
    const status = await json<RolloutView>('status', ADDRESS);
    expect(status).toMatchObject({ converged: true, consumers: { live: 1, applied: 1 } });
    expect((await pawl('status', ADDRESS)).out).toMatch(/^converged$/m);
  });

  it('notes where a consumer has an address open that nobody defined', async () => {
    const sdk = await stack.connectSdk({ consumerId: 'typo', workload: 'typo' });
    await sdk.open(`${ADDRESS}/ue`);
    await eventually(async () => {
      const { out, err } = await pawl('status', `${ADDRESS}/ue`);
      expect(err).toBe(
        `note: nothing is defined at ${ADDRESS}/ue; it reads what ${ADDRESS} gives\n`,
      );
      expect(out).toContain('1 live, 1 applied');
    });
    await sdk.close();
  });

  it('watches until Ctrl-C, which is a good end', async () => {
    const watching = start(['status', ADDRESS, '--watch']);
    await eventually(() => expect(watching.out()).toContain('converged'));
    const shown = watching.out().length;
    await pawl('rollback', ADDRESS, '--to', '1');
    await eventually(() => expect(watching.out().slice(shown)).toContain('converged'));
    watching.interrupt();
    expect(await watching.finished).toMatchObject({ code: 0, err: '' });
  });

  it('explains who set what', async () => {
    expect(await json('explain', ADDRESS)).toEqual({
      '/limits/maxItems': { address: ADDRESS, version: 1, author: 'ada' },
      '/name': { address: ADDRESS, version: 1, author: 'ada' },
    });
    const one = await pawl('explain', ADDRESS, '/limits');
    expect(one.out).toMatch(/\/limits\/maxItems +20 +acme\/app +1 +ada/);
    expect((await pawl('explain', ADDRESS, '/nothing')).code).toBe(1);
  });

  it('ends its wait with 4 when consumers reject, 3 when nobody is there in time', async () => {
    expect((await pawl('config', 'put', 'acme/picky', '-f', '-')).code).toBe(0);
    await pawl('promote', 'acme/picky');
    const picky = await stack.connectSdk({ consumerId: 'picky', workload: 'picky' });
    await picky.open('acme/picky', {
      validate: (document) => {
        if ('poison' in document) throw new Error('I will not have poison');
      },
    });
    expect((await pawl('wait', 'acme/picky', '--timeout', '30s')).code).toBe(0);
    const poison = await file('poison.json', '{"poison":true}');
    await pawl('config', 'put', 'acme/picky', '-f', poison, '--expect', 'any');
    await pawl('promote', 'acme/picky');
    const rejected = await pawl('wait', 'acme/picky', '--timeout', '30s');
    expect(rejected.code).toBe(4);
    expect(rejected.err).toContain('I will not have poison');
    await picky.close();
    expect((await pawl('wait', 'acme/picky', '--timeout', '300ms')).code).toBe(3);
  });
});

describe('pawl apply', () => {
  it('writes a folder once; the second time nothing changes', async () => {
    const shop = join(folder, 'shop');
    await cp(join(EXAMPLES, 'shop'), shop, { recursive: true });
    const first = await json<{ result: string }[]>('apply', '-f', shop, '--promote');
    expect(first.map(({ result }) => result)).toEqual(
      expect.arrayContaining(['created', 'promoted']) as unknown,
    );
    const truth = await stack.truth();
    const second = await json<{ result: string }[]>('apply', '-f', shop, '--promote');
    expect(new Set(second.map(({ result }) => result))).toEqual(new Set(['unchanged']));
    expect(await stack.truth()).toBe(truth);
    expect((await stack.admin().effective('acme/prod/checkout')).document).not.toBeNull();
  });

  it('says which file is refused, and where', async () => {
    const bad = join(folder, 'bad');
    await cp(join(EXAMPLES, 'shop'), bad, { recursive: true });
    const path = join(bad, 'acme', 'prod', 'checkout.yaml');
    await writeFile(path, 'currency: 7\n');
    const refused = await pawl('apply', '-f', bad);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain(path);
    expect(refused.err).toContain('  acme/prod/checkout /currency');
  });
});

describe('pawl', () => {
  it('ends with 2 on YAML that is none, and sends nothing', async () => {
    const truth = await stack.truth();
    const twice = await file('twice.yaml', 'a: 1\na: 2\n');
    const { code, err } = await pawl('config', 'put', 'acme/new', '-f', twice);
    expect(code).toBe(2);
    expect(err).toContain(twice);
    expect(await stack.truth()).toBe(truth);
  });

  it.each([
    ['an unknown command', ['frobnicate']],
    ['a missing argument', ['config', 'get']],
    ['an unknown option', ['status', ADDRESS, '--colour']],
    ['a duration that is none', ['wait', ADDRESS, '--timeout', 'soon']],
    ['a version that is none', ['rollback', ADDRESS, '--to', 'first']],
    ['a file that is not there', ['config', 'put', ADDRESS, '-f', '/nowhere/app.yaml']],
  ])('ends with 2 on %s', async (_what, args) => {
    const { code, err } = await pawl(...args);
    expect(code).toBe(2);
    expect(err).not.toBe('');
  });

  it('ends with 1 and the reason on a refusal', async () => {
    const refused = await pawl('promote', 'acme/nobody');
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toMatch(/^pawl: /);
  });

  it('says that nobody answers', async () => {
    const lost = await start(['status', ADDRESS], { PAWL_URL: 'http://127.0.0.1:9' }).finished;
    expect(lost.code).toBe(1);
    expect(lost.err).toContain('is the control plane running?');
  });
});
