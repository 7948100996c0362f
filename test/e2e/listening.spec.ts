import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { childPid, spawnLauncher, urlOf, type TestLauncher } from '../support/launcher.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

/** A socket that listens, in proc(5)'s words. */
const LISTEN = '0A';
/** 127.0.0.1 as proc(5) shows it: four bytes, the last first. */
const LOOPBACK = '0100007F';

let folder: TemporaryFolder;
let launcher: TestLauncher;

beforeAll(async () => {
  folder = await makeTemporaryFolder('listening');
  launcher = spawnLauncher({ dataFolder: folder.path, args: ['--no-demo'] });
  await urlOf(launcher);
});

afterAll(async () => {
  launcher.signal('SIGTERM');
  await launcher.exited;
  await folder.remove();
});

interface Listener {
  /** As proc(5) shows it. */
  readonly address: string;
  readonly port: number;
}

/** What a process accepts connections at, over IPv4 and IPv6. */
function listenersOf(pid: number): Listener[] {
  const open = new Set(
    readdirSync(`/proc/${pid}/fd`)
      .map((fd) => linkOf(`/proc/${pid}/fd/${fd}`))
      .map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]),
  );
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === LISTEN && open.has(fields[9]))
      .map(([, local = '']) => {
        const [address = '', port = ''] = local.split(':');
        return { address, port: Number.parseInt(port, 16) };
      }),
  );
}

/** A descriptor may be closed while we look. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** The code of the server's refusal, or that it let us in. */
async function login(password: string): Promise<string> {
  const [listener] = listenersOf(await childPid(folder.path, 'postgres'));
  const { port = 0 } = listener ?? {};
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: 'pawl',
    database: 'pawl',
    password,
  });
  try {
    await client.connect();
    return 'let in';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

describe('what npm start starts', () => {
  it.each(['postgres', 'nats', 'control-plane'])('%s: listens on loopback only', async (name) => {
    const listeners = listenersOf(await childPid(folder.path, name));
    expect(listeners).not.toHaveLength(0);
    expect(new Set(listeners.map(({ address }) => address))).toEqual(new Set([LOOPBACK]));
  });

  it('PostgreSQL asks for its password, which nobody else may read', async () => {
    const file = join(folder.path, 'postgres', 'pawl-password');
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(await login(readFileSync(file, 'utf8').trim())).toBe('let in');
    expect(await login('another')).toBe('28P01');
    expect(await login('')).not.toBe('let in');
  });

  it('PostgreSQL knows no way in without a password', () => {
    const rules = readFileSync(join(folder.path, 'postgres', 'pg_hba.conf'), 'utf8')
      .split('\n')
      .filter((line) => /^\s*[a-z]/.test(line))
      .map((line) => line.trim().split(/\s+/).at(-1));
    expect(rules.length).toBeGreaterThan(0);
    expect(new Set(rules)).toEqual(new Set(['scram-sha-256']));
  });
});
