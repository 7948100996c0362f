import { readFileSync, statSync } from 'node:fs';
import { Failure } from './failure.mjs';
import { run } from './run.mjs';

/**
 * @typedef {object} Account whom PostgreSQL runs as when the launcher is root
 * @property {number} uid
 * @property {number} gid
 * @property {string} name
 *
 * @typedef {(command: string, args: readonly string[]) => Invocation} Wrap
 *
 * @typedef {object} Invocation
 * @property {string} command
 * @property {readonly string[]} args
 * @property {number} [uid]
 * @property {number} [gid]
 */

const PREFERRED = ['postgres', 'nobody'];
const PROBE_DEADLINE_MS = 10_000;
/** Either lets a process pass folders that its account cannot enter; containers drop the first. */
const CAPABILITIES = ['dac_read_search', 'dac_override'];

/**
 * The account that PostgreSQL, which refuses to run as root, runs as; `undefined` when we are not
 * root. A cluster that exists keeps its owner.
 *
 * @param {string} clusterFolder
 * @returns {Account | undefined}
 */
export function unprivilegedAccount(clusterFolder) {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readAccounts();
  const owner = ownerOf(clusterFolder);
  if (owner !== undefined && owner.uid !== 0) {
    return {
      ...owner,
      name: accounts.find(({ uid }) => uid === owner.uid)?.name ?? `${owner.uid}`,
    };
  }
  const preferred = PREFERRED.map((name) => accounts.find((account) => account.name === name));
  const account = [...preferred, ...accounts].find(
    (entry) => entry !== undefined && entry.uid !== 0,
  );
  if (account !== undefined) return account;
  throw new Failure(
    'PostgreSQL does not run as root and this machine has no other account: ' +
      'add one (useradd --system postgres), or set PAWL_POSTGRES_URL.',
  );
}

/** @returns {Account[]} of passwd(5) */
function readAccounts() {
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 4)
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
}

/** @param {string} path */
function ownerOf(path) {
  try {
    const { uid, gid } = statSync(path);
    return { uid, gid };
  } catch {
    return undefined;
  }
}

/**
 * Finds the way to run a program as `account` in `folder`, also below one that others cannot
 * enter (root's home, mkdtemp); modes of folders are never changed. The
 * plain way is taken where it is enough, else setpriv(1) adds the one capability that is needed.
 *
 * @param {Account | undefined} account
 * @param {{ program: string, folder: string, signal?: AbortSignal }} reach
 * @returns {Promise<Wrap>}
 */
export async function findWayToRun(account, { program, folder, signal }) {
  if (account === undefined) return (command, args) => ({ command, args });
  const ways = [
    plainly(account),
    ...CAPABILITIES.map((capability) => withSetpriv(account, capability)),
  ];
  for (const way of ways) {
    if (await reaches(way, { program, folder, ...(signal && { signal }) })) return way;
  }
  throw new Failure(
    `PostgreSQL runs as ${account.name}, who cannot enter ${folder} or ${program}, and setpriv ` +
      '(package util-linux) is not here to help: install it, or keep the checkout and ' +
      'PAWL_DATA_DIR where every user may enter.',
  );
}

/**
 * Whether the account may run the programs as it is, without a capability. PostgreSQL looks for its
 * own parts with access(2), which asks what the real user may and counts no capability.
 *
 * @param {Account} account @param {readonly string[]} programs @param {AbortSignal} [signal]
 */
export async function mayRun(account, programs, signal) {
  const script = 'for program; do test -r "$program" && "$program" --version || exit 1; done';
  return succeeds(plainly(account)('/bin/sh', ['-c', script, 'sh', ...programs]), signal);
}

/** @param {Account} account @param {string} folder @param {AbortSignal} [signal] */
export async function mayEnter(account, folder, signal) {
  return succeeds(plainly(account)('/bin/sh', ['-c', 'cd "$1"', 'sh', folder]), signal);
}

/** @param {Account} account @returns {Wrap} */
function plainly({ uid, gid }) {
  return (command, args) => ({ command, args, uid, gid });
}

/** @param {Account} account @param {string} capability @returns {Wrap} */
function withSetpriv({ uid, gid }, capability) {
  const options = [
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    `--inh-caps=+${capability}`,
    `--ambient-caps=+${capability}`,
  ];
  return (command, args) => ({ command: 'setpriv', args: [...options, command, ...args] });
}

/** @param {Wrap} way @param {{ program: string, folder: string, signal?: AbortSignal }} reach */
async function reaches(way, { program, folder, signal }) {
  const script = 'cd "$1" && exec "$2" --version';
  return succeeds(way('/bin/sh', ['-c', script, 'sh', folder, program]), signal);
}

/** @param {Invocation} invocation @param {AbortSignal} [signal] */
async function succeeds({ command, args, uid, gid }, signal) {
  try {
    const { code } = await run(command, args, {
      cwd: '/',
      deadlineMs: PROBE_DEADLINE_MS,
      ...(uid !== undefined && gid !== undefined && { uid, gid }),
      ...(signal && { signal }),
    });
    return code === 0;
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}
