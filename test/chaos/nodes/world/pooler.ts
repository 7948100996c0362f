import { chown, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { unprivilegedAccount } from '../../../../infra/dev/lib/account.mjs';
import { findPgbouncer } from '../../../../infra/dev/lib/pgbouncer-binary.mjs';
import { freePort } from '../../../../infra/dev/lib/ports.mjs';
import { REPOSITORY } from '../../../../infra/dev/lib/repository.mjs';
import { startService } from '../../../../infra/dev/lib/service.mjs';
import { createTerminal } from '../../../../infra/dev/lib/terminal.mjs';
import { endWithUs } from '../../../support/leash.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../support/temporary-folder.js';
import { withClient } from './audit.js';

type Service = Awaited<ReturnType<typeof startService>>;

const READY_WITHIN_MS = 20_000;
/** More than two nodes need, and few enough that sessions are used again. */
const SESSIONS = 60;
/** Of the lease, as nodes set them. */
const TIMEOUTS = {
  statement_timeout: 0.8,
  lock_timeout: 0.4,
  idle_in_transaction_session_timeout: 0.6,
};

/** A pgbouncer in session mode before a PostgreSQL. */
export class Pooler {
  private constructor(
    private readonly folder: TemporaryFolder,
    private readonly service: Service,
    private readonly truth: string,
    readonly url: string,
  ) {}

  /** @param truth URL of the database @param leaseTtlMs of the nodes, whose time-outs it sets */
  static async start(truth: string, leaseTtlMs: number): Promise<Pooler> {
    const toolsFolder = join(REPOSITORY, '.pawl-test', 'tools');
    const { program, env } = await findPgbouncer({ toolsFolder, terminal: createTerminal() });
    const folder = await makeTemporaryFolder('chaos-pooler');
    const port = await freePort();
    const file = join(folder.path, 'pgbouncer.ini');
    // It refuses to run as root, and becomes this account once it has read its settings.
    const account = unprivilegedAccount(folder.path);
    await writeFile(file, settings({ truth, port, user: account?.name }), {
      mode: 0o600,
    });
    if (account !== undefined) await chown(file, account.uid, account.gid);
    try {
      const service = await startService({
        name: 'pgbouncer',
        title: 'pgbouncer',
        command: program,
        args: ['-q', file],
        env,
        logFile: join(folder.path, 'pgbouncer.log'),
        stopPlan: [{ signal: 'SIGTERM', graceMs: 2_000 }],
        ready: () => listens(port),
        readyDeadlineMs: READY_WITHIN_MS,
        onSpawn: ({ pid }) => endWithUs(pid),
      });
      const url = new URL(truth);
      url.port = String(port);
      await setForRole(truth, leaseTtlMs);
      return new Pooler(folder, service, truth, url.href);
    } catch (error) {
      await folder.remove();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await resetForRole(this.truth);
    await this.service.stop();
    await this.folder.remove();
  }
}

interface Wish {
  readonly truth: string;
  readonly port: number;
  readonly user: string | undefined;
}

/**
 * What nodes ask of their sessions as they connect, pgbouncer does not pass on, and what is set in a
 * session goes with its DISCARD ALL: the role has it, see docs/operations.md.
 */
async function setForRole(truth: string, leaseTtlMs: number): Promise<void> {
  await withClient(truth, async (client) => {
    for (const [name, share] of Object.entries(TIMEOUTS)) {
      await client.query(`ALTER ROLE CURRENT_USER SET ${name} = ${Math.round(leaseTtlMs * share)}`);
    }
  });
}

async function resetForRole(truth: string): Promise<void> {
  await withClient(truth, async (client) => {
    for (const name of Object.keys(TIMEOUTS)) {
      await client.query(`ALTER ROLE CURRENT_USER RESET ${name}`);
    }
  });
}

/** `server_round_robin`: the session that has been free for the longest is handed out, not the newest. */
function settings({ truth, port, user }: Wish): string {
  const { hostname, port: behind, username, password, pathname } = new URL(truth);
  const database = {
    host: hostname,
    port: behind,
    dbname: pathname.slice(1),
    user: username,
    password: decodeURIComponent(password),
  };
  const lines = Object.entries(database).map(([name, value]) => `${name}=${value}`);
  return `[databases]
${pathname.slice(1)} = ${lines.join(' ')}
[pgbouncer]
listen_addr = ${hostname}
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = session
server_round_robin = 1
default_pool_size = ${SESSIONS}
max_client_conn = ${2 * SESSIONS}
ignore_startup_parameters = options,${Object.keys(TIMEOUTS).join(',')}
${user === undefined ? '' : `user = ${user}`}
`;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
