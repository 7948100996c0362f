import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { Failure, onFiles } from './failure.mjs';
import { run } from './run.mjs';

/**
 * @typedef {import('./terminal.mjs').Terminal} Terminal
 * @typedef {{ toolsFolder: string, terminal: Terminal, signal?: AbortSignal }} FindOptions
 *
 * @typedef {object} Program
 * @property {string} name
 * @property {readonly string[]} versionArgs make it print its version, among it `1.2.3`
 *
 * @typedef {object} Wanted
 * @property {string} title of it all, for people; the folder it is unpacked into bears it
 * @property {readonly Program[]} programs
 * @property {readonly string[]} packages of the distribution, which together hold the programs
 * @property {string} folder of the programs within the packages
 * @property {readonly [major: number, minor: number]} oldest version that will do
 * @property {NodeJS.ProcessEnv} [env] of the programs when asked for their versions
 * @property {string} remedy what to do where it cannot be fetched, within a sentence
 */

/** Outside the PATH of ordinary users, some of them. */
const SYSTEM_FOLDERS = [
  '/usr/sbin',
  '/usr/local/bin',
  '/usr/local/sbin',
  '/usr/bin',
  '/opt/homebrew/bin',
  '/snap/bin',
];
const VERSION_DEADLINE_MS = 10_000;
const DOWNLOAD_DEADLINE_MS = 180_000;

/**
 * Finds programs on PATH, in the usual system folders, or where they were unpacked before; else
 * downloads the distribution's packages and unpacks them into `toolsFolder`, leaving the system
 * alone. One call at a time for a `toolsFolder`.
 *
 * @param {Wanted} wanted @param {FindOptions} options
 * @returns {Promise<string[]>} paths of the programs, in their order
 */
export async function findPrograms(wanted, options) {
  const unpacked = join(options.toolsFolder, wanted.title, wanted.folder);
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const folders = [...new Set([...path, ...SYSTEM_FOLDERS, unpacked])];
  const found = [];
  for (const program of wanted.programs) {
    const { at, tooOld } = await findProgram(program, { folders, wanted, signal: options.signal });
    if (at === undefined) return fetchPackages(wanted, options, tooOld);
    found.push(at);
  }
  return found;
}

/**
 * @param {Program} program
 * @param {{ folders: readonly string[], wanted: Wanted, signal: AbortSignal | undefined }} where
 * @returns {Promise<{ at?: string, tooOld?: string }>}
 */
async function findProgram(program, { folders, wanted, signal }) {
  /** @type {string | undefined} */
  let tooOld;
  for (const folder of folders) {
    const at = join(folder, program.name);
    const version = await versionOf(at, program, { env: wanted.env, signal });
    if (version === undefined) continue;
    if (isRecent(version, wanted)) return { at };
    tooOld = `${at} is ${version.join('.')}`;
  }
  return tooOld === undefined ? {} : { tooOld };
}

/**
 * @param {string} path @param {Program} program
 * @param {{ env: NodeJS.ProcessEnv | undefined, signal: AbortSignal | undefined }} options
 * @returns {Promise<number[] | undefined>} `undefined` when it is not there or does not run
 */
async function versionOf(path, program, { env, signal }) {
  try {
    await access(path, constants.X_OK);
    const options = {
      deadlineMs: VERSION_DEADLINE_MS,
      ...(env && { env }),
      ...(signal && { signal }),
    };
    const { output } = await run(path, program.versionArgs, options);
    const numbers = /\bv?(\d+)\.(\d+)\.(\d+)/.exec(output)?.slice(1);
    return numbers?.map(Number);
  } catch (error) {
    if (signal?.aborted) throw error;
    return undefined;
  }
}

/** @param {readonly number[]} version @param {Wanted} wanted */
function isRecent([major = 0, minor = 0], { oldest: [oldestMajor, oldestMinor] }) {
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}

/** @param {Wanted} wanted @param {FindOptions} options @param {string | undefined} tooOld */
async function fetchPackages(wanted, { toolsFolder, terminal, signal }, tooOld) {
  const { title, packages, oldest, remedy } = wanted;
  const which = packages.length === 1 ? 'the package' : 'the packages';
  const step = terminal.step(`Fetching ${title}, ${which} of this distribution`);
  try {
    const programs = await onFiles(toolsFolder, () => unpackPackages(wanted, toolsFolder, signal));
    step.done();
    return programs;
  } catch (error) {
    step.fail();
    if (signal?.aborted || !(error instanceof Unobtainable)) throw error;
    throw new Failure(
      `${title} ${tooOld === undefined ? 'is not installed' : `${oldest.join('.')} or newer is needed (${tooOld})`} ` +
        `and cannot be fetched (${error.message}): ${remedy}.`,
      { cause: error },
    );
  }
}

/** This machine gives no package; the message says at what it failed. */
class Unobtainable extends Error {}

/** @param {Wanted} wanted @param {string} toolsFolder @param {AbortSignal} [signal] */
async function unpackPackages(wanted, toolsFolder, signal) {
  await mkdir(toolsFolder, { recursive: true });
  await removeLeftovers(toolsFolder);
  const work = await mkdtemp(join(toolsFolder, 'fetch-'));
  try {
    const content = join(work, 'content');
    for (const archive of await download(wanted.packages, work, signal)) {
      await execute('dpkg-deb', ['-x', archive, content], { signal });
    }
    for (const program of wanted.programs) {
      const path = join(content, wanted.folder, program.name);
      const version = await versionOf(path, program, { env: wanted.env, signal });
      if (version !== undefined && isRecent(version, wanted)) continue;
      const what = version?.join('.') ?? 'not runnable here';
      throw new Unobtainable(`the package's ${program.name} is ${what}`);
    }
    const place = join(toolsFolder, wanted.title);
    await rm(place, { recursive: true, force: true });
    await rename(content, place);
    return wanted.programs.map(({ name }) => join(place, wanted.folder, name));
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
 * @param {readonly string[]} packages @param {string} work @param {AbortSignal} [signal]
 * @returns {Promise<string[]>} paths of the archives
 */
async function download(packages, work, signal) {
  const own = [
    ...option('Dir::State::lists', join(work, 'lists')),
    ...option('Dir::Cache', join(work, 'cache')),
  ];
  await mkdir(join(work, 'lists', 'partial'), { recursive: true });
  await mkdir(join(work, 'cache', 'archives', 'partial'), { recursive: true });
  try {
    await execute('apt-get', [...APT, 'download', ...packages], { cwd: work, signal });
  } catch (error) {
    if (!(error instanceof Unobtainable)) throw error;
    // One source out of reach fails the update, though another may hold the package.
    await execute('apt-get', [...APT, ...own, 'update'], { cwd: work, signal }).catch(ignoreFailed);
    await execute('apt-get', [...APT, ...own, 'download', ...packages], { cwd: work, signal });
  }
  const archives = (await readdir(work)).filter((name) => name.endsWith('.deb'));
  if (archives.length < packages.length) throw new Unobtainable('apt-get brought no package');
  return archives.map((name) => join(work, name));
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
