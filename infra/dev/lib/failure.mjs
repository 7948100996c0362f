/** An expected failure: `message` is one clear sentence for people, printed without a stack trace. */
export class Failure extends Error {
  /**
   * @param {string} message
   * @param {{ cause?: unknown, detail?: string }} [options] `detail`: further lines, a log's tail say
   */
  constructor(message, options = {}) {
    super(message, { cause: options.cause });
    this.name = 'Failure';
    this.detail = options.detail ?? '';
  }
}

/** The work was given up because the user asked to stop. */
export class Stopped extends Error {
  constructor() {
    super('stopped');
    this.name = 'Stopped';
  }
}

const OTHER_FOLDER = 'choose another data folder with PAWL_DATA_DIR';

/**
 * Turns an error of the file system into a sentence; other errors come back as they are.
 *
 * @param {unknown} error
 * @param {string} path what was being read or written
 * @param {string} [remedy] what to do about it, within a sentence
 * @returns {Error}
 */
export function fileFailure(error, path, remedy = OTHER_FOLDER) {
  if (!(error instanceof Error) || error instanceof Failure) return asError(error);
  const { code } = /** @type {NodeJS.ErrnoException} */ (error);
  const sentence = sentenceFor(code, path, remedy);
  return sentence === undefined ? error : new Failure(sentence, { cause: error });
}

/** @param {string | undefined} code @param {string} path @param {string} remedy */
function sentenceFor(code, path, remedy) {
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return `No permission to use ${path}: start as the user that it belongs to, or ${remedy}.`;
    case 'EROFS':
      return `${path} is on a read-only file system: ${remedy}.`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `The disk that holds ${path} is full: free some space, or ${remedy}.`;
    case 'ENOTDIR':
    case 'EEXIST':
      return `${path} should be a folder but is not one: move it away, or ${remedy}.`;
    case 'EISDIR':
      return `${path} should be a file but is a folder: move it away, or ${remedy}.`;
    case 'ELOOP':
    case 'ENAMETOOLONG':
      return `${path} is not a usable path (${code}): ${remedy}.`;
    case 'EIO':
      return `The disk that holds ${path} reports errors (EIO).`;
    default:
      return undefined;
  }
}

/** @param {unknown} error @returns {Error} */
export function asError(error) {
  return error instanceof Error ? error : new Error(String(error));
}

/**
 * Runs `work`; what fails on the file system is told as one sentence about `path`.
 *
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work
 * @param {string} [remedy]
 * @returns {Promise<T>}
 */
export async function onFiles(path, work, remedy) {
  try {
    return await work();
  } catch (error) {
    throw fileFailure(error, path, remedy);
  }
}
