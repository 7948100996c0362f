import { randomBytes } from 'node:crypto';
import { link, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson, replaceFile } from './files.mjs';
import { identify, isAlive } from './process-identity.mjs';

const TICKET = /^lock-(\d{1,15})\.json$/;
const DRAFT = /^draft-(\d{1,15})-/;
/** Content of the ticket of a holder that gave the lock back and lives on. */
const RELEASED = '{}\n';

/**
 * @typedef {import('./process-identity.mjs').ProcessIdentity} ProcessIdentity
 * @typedef {{ readonly held: true, release: () => Promise<void> } | { readonly held: false, holder: ProcessIdentity }} LockAnswer
 */

/**
 * Takes the lock of a folder for this process, or tells who holds it. The lock ends with its
 * process, however that ends: nothing has to be cleaned up after a kill -9.
 *
 * Tickets are files numbered upwards, each naming its process; the holder is the process of the
 * highest ticket, as long as it lives. A ticket is made by link(2), whole or not at all, and the
 * highest is never removed, so that of two who find a dead holder only one gets the next number.
 *
 * @param {string} folder made when missing
 * @returns {Promise<LockAnswer>}
 */
export async function takeLock(folder) {
  await mkdir(folder, { recursive: true });
  const self = identify(process.pid);
  if (self === undefined) throw new Error('this process cannot be identified');
  for (;;) {
    const highest = (await tickets(folder)).at(-1) ?? 0;
    const holder = await readJson(ticketPath(folder, highest));
    if (isAlive(holder)) return { held: false, holder };
    const mine = highest + 1;
    if (!(await makeTicket(folder, mine, self))) continue;
    const now = await tickets(folder);
    if (now.at(-1) === mine) {
      await removeTickets(folder, now.slice(0, -1));
      await removeDeadDrafts(folder);
      return { held: true, release: () => replaceFile(ticketPath(folder, mine), RELEASED) };
    }
    await removeTickets(folder, [mine]);
  }
}

/** @param {string} folder @param {number} ticket */
function ticketPath(folder, ticket) {
  return join(folder, `lock-${ticket}.json`);
}

/** Ticket numbers, ascending. */
async function tickets(/** @type {string} */ folder) {
  const names = await readdir(folder);
  return names
    .map((name) => Number(TICKET.exec(name)?.[1] ?? Number.NaN))
    .filter((ticket) => Number.isSafeInteger(ticket))
    .sort((left, right) => left - right);
}

/**
 * @param {string} folder @param {number} ticket @param {ProcessIdentity} self
 * @returns {Promise<boolean>} `false` when another was quicker
 */
async function makeTicket(folder, ticket, self) {
  const draft = join(folder, `draft-${self.pid}-${randomBytes(4).toString('hex')}`);
  await writeFile(draft, `${JSON.stringify(self)}\n`);
  try {
    await link(draft, ticketPath(folder, ticket));
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** @param {string} folder @param {readonly number[]} list */
async function removeTickets(folder, list) {
  await Promise.all(list.map((ticket) => rm(ticketPath(folder, ticket), { force: true })));
}

/** A process that was killed while it made its ticket leaves the draft behind. */
async function removeDeadDrafts(/** @type {string} */ folder) {
  const names = await readdir(folder);
  const dead = names.filter((name) => {
    const pid = DRAFT.exec(name)?.[1];
    return pid !== undefined && identify(Number(pid)) === undefined;
  });
  await Promise.all(dead.map((name) => rm(join(folder, name), { force: true })));
}
