import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { REPOSITORY } from '../../infra/dev/lib/repository.mjs';
import { layDownCluster } from '../support/lay-down-cluster.js';
import { processesOn, spawnLauncher, urlOf, type LauncherOptions } from '../support/launcher.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

const STACK_TRACE = /\n\s+at .+:\d+:\d+/;

let root: TemporaryFolder;
let data: string;
let turn = 0;

beforeAll(async () => {
  root = await makeTemporaryFolder('failures');
});

afterAll(() => root.remove());

beforeEach(() => {
  turn += 1;
  data = join(root.path, `data-${turn}`);
});

interface Ended {
  readonly code: number | null;
  readonly output: string;
  /** Lines that begin with `Error:`. */
  readonly errors: readonly string[];
}

async function launch(options: Partial<LauncherOptions> = {}): Promise<Ended> {
  const launcher = spawnLauncher({ dataFolder: data, args: ['--no-demo'], ...options });
  const code = await launcher.exited;
  const output = launcher.output();
  expect(output).not.toMatch(STACK_TRACE);
  return { code, output, errors: output.split('\n').filter((line) => line.startsWith('Error:')) };
}

/** One sentence, exit code 1, nothing left behind. */
async function expectRefusal(sentence: RegExp, options: Partial<LauncherOptions> = {}) {
  const { code, errors, output } = await launch(options);
  expect(errors, output).toHaveLength(1);
  expect(errors[0]).toMatch(sentence);
  expect(code).toBe(1);
  if (existsSync(data)) expect(await processesOn(data)).toEqual([]);
}

async function listen(): Promise<{ readonly server: Server; readonly port: string }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: String((server.address() as AddressInfo).port) };
}

describe('a start that cannot succeed says why in one sentence', () => {
  for (const [setting, what] of [
    ['PAWL_HTTP_PORT', 'REST'],
    ['PAWL_PEER_PORT', 'quorum members'],
    ['PAWL_ETCD_PORT', 'coordination API'],
    ['PAWL_POSTGRES_PORT', 'PostgreSQL'],
    ['PAWL_NATS_PORT', 'NATS'],
  ] as const) {
    it(`${what}: the port is in use`, async () => {
      const { server, port } = await listen();
      const sentence = new RegExp(`Port ${port} \\(${what}\\) is in use .*set ${setting}`);
      await expectRefusal(sentence, { env: { [setting]: port } });
      server.close();
    });
  }

  it('several ports are in use: all are named, and no folder is made', async () => {
    const [rest, nats] = [await listen(), await listen()];
    await expectRefusal(
      new RegExp(
        `Ports ${rest.port} \\(REST\\), ${nats.port} \\(NATS\\) are in use .*` +
          'set PAWL_HTTP_PORT, PAWL_NATS_PORT to other ports',
      ),
      { env: { PAWL_HTTP_PORT: rest.port, PAWL_NATS_PORT: nats.port } },
    );
    expect(existsSync(data)).toBe(false);
    for (const { server } of [rest, nats]) server.close();
  });

  it('a port that is none', async () => {
    await expectRefusal(/PAWL_NATS_PORT must be a port/, { env: { PAWL_NATS_PORT: '70000' } });
  });

  it('a server that was named and does not answer', async () => {
    const { server, port } = await listen();
    await new Promise((resolve) => server.close(resolve));
    const url = `postgresql://user:secret-word@127.0.0.1:${port}/pawl`;
    await expectRefusal(/PostgreSQL at 127\.0\.0\.1:\d+, named by PAWL_POSTGRES_URL, cannot be/, {
      env: { PAWL_POSTGRES_URL: url },
    });
  });

  it('a data folder that is a file', async () => {
    writeFileSync(data, '');
    await expectRefusal(/should be a folder but is not one/);
  });

  it('a data folder that belongs to somebody else', async () => {
    const copy = join(root.path, 'copy');
    cpSync(join(REPOSITORY, 'infra', 'dev'), join(copy, 'infra', 'dev'), { recursive: true });
    mkdirSync(data, { mode: 0o700 });
    const script = join(copy, 'infra', 'dev', 'start.mjs');
    if (process.getuid?.() === 0) {
      chmodSync(root.path, 0o755);
      await expectRefusal(/No permission to use .*data-\d+/, { script, uid: NOBODY });
      chmodSync(root.path, 0o700);
    } else {
      chmodSync(data, 0o500);
      await expectRefusal(/No permission to use .*data-\d+/, { script });
    }
  });

  it('a database folder that is none', async () => {
    mkdirSync(join(data, 'postgres'), { recursive: true });
    writeFileSync(join(data, 'postgres', 'notes.txt'), 'mine');
    await expectRefusal(/postgres is not a database folder \(no PG_VERSION\)/);
  });

  it('a database folder without its control file', async () => {
    await layDownCluster(data);
    rmSync(join(data, 'postgres', 'global', 'pg_control'));
    await expectRefusal(/PostgreSQL ended while it was starting: .*pg_control/);
  });

  it('a database folder that lost its data, all of it or our database', async () => {
    await layDownCluster(data);
    const base = join(data, 'postgres', 'base');
    for (const name of readdirSync(base)) {
      if (!['1', '4', '5'].includes(name)) rmSync(join(base, name), { recursive: true });
    }
    await expectRefusal(
      /postgres has lost data \(the database in base is missing\): restore it from a copy/,
    );
    rmSync(base, { recursive: true });
    await expectRefusal(/postgres has lost data \(base is missing\)/);
  });

  it('a database folder of another PostgreSQL', async () => {
    await layDownCluster(data);
    writeFileSync(join(data, 'postgres', 'PG_VERSION'), '12\n');
    await expectRefusal(/is of PostgreSQL 12, ours is 18/);
  });

  it('streams where there should be a folder', async () => {
    mkdirSync(data);
    writeFileSync(join(data, 'nats'), '');
    await expectRefusal(/nats should be a folder but is not one/);
  });

  it('an option that does not exist: exit code 2', async () => {
    const { code, errors } = await launch({ args: ['--no-such-option'] });
    expect(errors[0]).toMatch(/Unknown option '--no-such-option'.*--help/);
    expect(code).toBe(2);
    expect(existsSync(data)).toBe(false);
  });

  it('help is no failure and starts nothing', async () => {
    const { code, output } = await launch({ args: ['--help'] });
    expect(code).toBe(0);
    expect(output).toContain('--no-demo');
    expect(existsSync(data)).toBe(false);
  });

  it('help of the benches builds nothing', async () => {
    const script = join(REPOSITORY, 'infra', 'dev', 'bench.mjs');
    const { code, output } = await launch({ script, args: ['--help'] });
    expect(code).toBe(0);
    expect(output).toMatch(/^Prints figures[^]*recompute/);
    expect(output).not.toContain('Building');
  });
});

describe('what a start survives', () => {
  it('garbage in its own records, and a database that was being made when it was killed', async () => {
    mkdirSync(join(data, 'locks'), { recursive: true });
    writeFileSync(join(data, 'launcher.json'), '{"launcher": {"pid": 1');
    writeFileSync(join(data, 'endpoints.json'), 'x');
    writeFileSync(join(data, 'locks', 'lock-7.json'), '\u0000');
    mkdirSync(join(data, 'postgres.unfinished-0001'));
    await startAndStop();
    expect(existsSync(join(data, 'postgres.unfinished-0001'))).toBe(false);
  });

  it('a pid file that names a live process which is no PostgreSQL', async () => {
    await layDownCluster(data);
    // PostgreSQL minds only processes of its own user.
    const { uid, gid } = statSync(join(data, 'postgres'));
    const other = spawn('sleep', ['300'], { uid, gid, stdio: 'ignore' });
    const stale = [other.pid, join(data, 'postgres'), 1, 5432, '', '127.0.0.1', '0 0', 'ready'];
    writeFileSync(join(data, 'postgres', 'postmaster.pid'), `${stale.join('\n')}\n`);
    await startAndStop();
    other.kill('SIGKILL');
  });

  it('a data folder below one that nobody else may enter', async () => {
    const hidden = join(root.path, `hidden-${turn}`);
    mkdirSync(hidden, { mode: 0o700 });
    data = join(hidden, 'data');
    await startAndStop();
    expect(execFileSync('stat', ['-c', '%a', hidden], { encoding: 'utf8' }).trim()).toBe('700');
  });
});

const NOBODY = 65_534;

async function startAndStop(): Promise<void> {
  const launcher = spawnLauncher({ dataFolder: data, args: ['--no-demo'] });
  const url = await urlOf(launcher);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  launcher.signal('SIGTERM');
  expect(await launcher.exited).toBe(0);
}
