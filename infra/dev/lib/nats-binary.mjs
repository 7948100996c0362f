import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { Failure, onFiles } from './failure.mjs';
import { run } from './run.mjs';

/**
 * @typedef {import('./terminal.mjs').Terminal} Terminal
 * @typedef {{ toolsFolder: string, terminal: Terminal, signal?: AbortSignal }} FindOptions
 */

const NAME = 'nats-server';
/** Outside the PATH of ordinary users, some of them. */
const SYSTEM_FOLDERS = [
  '/usr/sbin',
  '/usr/local/bin',
  '/usr/local/sbin',
  '/usr/bin',
  '/opt/homebrew/bin',
  '/snap/bin',
];
/** What Debian 12 has; the distribution uses nothing newer without asking the server first. */
const OLDEST = [2, 9];
const VERSION_DEADLINE_MS = 10_000;
const DOWNLOAD_DEADLINE_MS = 180_000;

/**
 * Finds nats-server on PATH, in the usual system folders, or where it was unpacked before; else
 * downloads the distribution's package and unpacks it into `toolsFolder`, leaving the system alone.
 *
 * @param {FindOptions} options
 * @returns {Promise<string>} path of the program
 */
export async function findNats(options) {
  const unpacked = join(options.toolsFolder, NAME, 'usr', 'sbin');
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const folders = [...new Set([...path, ...SYSTEM_FOLDERS, unpacked])];
  /** @type {string | undefined} */
  let tooOld;
  for (const folder of folders) {
    const program = join(folder, NAME);
    const version = await versionOf(program, options.signal);
    if (version === undefined) continue;
    if (isRecent(version)) return program;
    tooOld = `${program} is ${version.join('.')}`;
  }
  return fetchPackage(options, tooOld);
}

/**
 * @param {string} program @param {AbortSignal} [signal]
 * @returns {Promise<number[] | undefined>} `undefined` when it is not there or does not run
 */
async function versionOf(program, signal) {
  try {
    await access(program, constants.X_OK);
    const options = { deadlineMs: VERSION_DEADLINE_MS, ...(signal && { signal }) };
    const { output } = await run(program, ['--version'], options);
    const numbers = /v(\d+)\.(\d+)\.(\d+)/.exec(output)?.slice(1);
    return numbers?.map(Number);
  } catch (error) {
    if (signal?.aborted) throw error;
    return undefined;
  }
}

/** @param {readonly number[]} version */
function isRecent([major = 0, minor = 0]) {
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST;
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}

/** @param {FindOptions} options @param {string | undefined} tooOld */
async function fetchPackage({ toolsFolder, terminal, signal }, tooOld) {
  const step = terminal.step('Fetching nats-server, the package of this distribution');
  try {
    const program = await onFiles(toolsFolder, () => unpackPackage(toolsFolder, signal));
    step.done();
    return program;
  } catch (error) {
    step.fail();
    if (signal?.aborted || !(error instanceof Unobtainable)) throw error;
    throw new Failure(
      `nats-server ${tooOld === undefined ? 'is not installed' : `${OLDEST.join('.')} or newer is needed (${tooOld})`} ` +
        `and cannot be fetched (${error.message}): install it (Debian, Ubuntu: apt-get install nats-server; ` +
        'macOS: brew install nats-server), or set PAWL_NATS_URL to a server with JetStream.',
      { cause: error },
    );
  }
}

/** This machine gives no package; the message says at what it failed. */
class Unobtainable extends Error {}

/** @param {string} toolsFolder @param {AbortSignal} [signal] */
async function unpackPackage(toolsFolder, signal) {
  await mkdir(toolsFolder, { recursive: true });
  await removeLeftovers(toolsFolder);
  const work = await mkdtemp(join(toolsFolder, 'fetch-'));
  try {
    const archive = await download(work, signal);
    const content = join(work, 'content');
    await execute('dpkg-deb', ['-x', archive, content], { signal });
    const version = await versionOf(join(content, 'usr', 'sbin', NAME), signal);
    if (version === undefined || !isRecent(version)) {
      throw new Unobtainable(
        `the package's server is ${version?.join('.') ?? 'not runnable here'}`,
      );
    }
    const place = join(toolsFolder, NAME);
    await rm(place, { recursive: true, force: true });
    await rename(content, place);
    return join(place, 'usr', 'sbin', NAME);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Downloads that were cut off, by kill -9 say. */
async function removeLeftovers(/** @type {string} */ toolsFolder) {
  const names = (await readdir(toolsFolder)).filter((name) => name.startsWith('fetch-'));
  await Promise.all(
    names.map((name) => rm(join(toolsFolder, name), { recursive: true, force: true })),
  );
}

/**
 * First with the package lists of the system; where there are none, or they are out of date, with
 * lists of our own below `work`, which needs no rights and changes nothing outside.
 *
 * @param {string} work @param {AbortSignal} [signal]
 * @returns {Promise<string>} path of the archive
 */
async function download(work, signal) {
  const own = [
    ...option('Dir::State::lists', join(work, 'lists')),
    ...option('Dir::Cache', join(work, 'cache')),
  ];
  await mkdir(join(work, 'lists', 'partial'), { recursive: true });
  await mkdir(join(work, 'cache', 'archives', 'partial'), { recursive: true });
  try {
    await execute('apt-get', [...APT, 'download', NAME], { cwd: work, signal });
  } catch (error) {
    if (!(error instanceof Unobtainable)) throw error;
    // One source out of reach fails the update, though another may hold the package.
    await execute('apt-get', [...APT, ...own, 'update'], { cwd: work, signal }).catch(ignoreFailed);
    await execute('apt-get', [...APT, ...own, 'download', NAME], { cwd: work, signal });
  }
  const archive = (await readdir(work)).find((name) => name.endsWith('.deb'));
  if (archive === undefined) throw new Unobtainable('apt-get brought no package');
  return join(work, archive);
}

/** @param {string} name @param {string} value */
function option(name, value) {
  return ['-o', `${name}=${value}`];
}

/** The sandbox user of apt may not enter our folder; we write nothing outside of it. */
const APT = [
  '-q',
  ...option('APT::Sandbox::User', 'root'),
  ...option('Acquire::Retries', '2'),
  ...option('Acquire::http::Timeout', '20'),
  ...option('Acquire::https::Timeout', '20'),
];

/** @param {unknown} error */
function ignoreFailed(error) {
  if (!(error instanceof Unobtainable)) throw error;
}

/**
 * @param {string} command @param {readonly string[]} args
 * @param {{ cwd?: string, signal: AbortSignal | undefined }} options
 */
async function execute(command, args, { cwd, signal }) {
  /** @type {{ code: number | null, output: string }} */
  let result;
  try {
    result = await run(command, args, {
      deadlineMs: DOWNLOAD_DEADLINE_MS,
      env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
      ...(cwd !== undefined && { cwd }),
      ...(signal && { signal }),
    });
  } catch (error) {
    if (error instanceof Failure) throw new Unobtainable(error.message.replace(/\.$/, ''));
    throw error;
  }
  if (result.code === 0) return;
  const complaint = result.output.split('\n').find((line) => /^(E:|W:|dpkg-deb: error)/.test(line));
  throw new Unobtainable(complaint?.replace(/^[EW]:\s*/, '') ?? `${command} failed`);
}
