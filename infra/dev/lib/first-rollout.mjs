import { Api, describeError, expectSuccess } from './api.mjs';
import { delay, poll } from './delay.mjs';
import { readExamples } from './examples.mjs';
import { Failure } from './failure.mjs';
import { FLEET_ADDRESS, FLEET_SIZE } from './fleet.mjs';
import { assertNoForeignVersions } from './foreign-versions.mjs';

/**
 * @typedef {import('./terminal.mjs').Terminal} Terminal
 * @typedef {import('./examples.mjs').Example} Example
 *
 * @typedef {object} Story
 * @property {string} url base of REST
 * @property {Terminal} terminal
 * @property {() => Promise<void>} startFleet starts the consumers, unless they run
 * @property {boolean} [overwrite] also what others wrote at the example's addresses
 * @property {AbortSignal} [signal]
 */

const ROLLOUT_DEADLINE_MS = 60_000;
const ASK_EVERY_MS = 100;
/** People should see one step before the next begins. */
const READING_MS = 400;

/**
 * Whether nothing was ever written here.
 *
 * @param {string} url @param {AbortSignal} [signal]
 */
export async function isEmptyInstallation(url, signal) {
  const { items } = expectSuccess(
    'Listing scopes',
    await new Api(url, signal).get('/v1/scopes?limit=1'),
  );
  return items.length === 0;
}

/**
 * Whether consumers that open the demo's address find a document there.
 *
 * @param {string} url @param {AbortSignal} [signal]
 */
export async function hasDemoAddress(url, signal) {
  const answer = await new Api(url, signal).get(`/v1/effective/${FLEET_ADDRESS}`);
  return answer.status === 200 && answer.body?.document != null;
}

/**
 * Rolls the example out in front of the user: written, released, applied by every consumer; an edit
 * that the schema refuses; an edit that arrives; a rollback. Works on whatever versions are there,
 * but for those of others, unless told to overwrite them.
 *
 * @param {Story} story
 */
export async function firstRollout(story) {
  const { url, terminal, signal } = story;
  const stage = { ...story, api: new Api(url, signal) };
  const examples = await readExamples();
  const checkout = examples.find(({ address }) => address === FLEET_ADDRESS);
  if (checkout?.document === undefined)
    throw new Failure('examples/shop has no checkout document.');
  if (story.overwrite !== true) {
    await assertNoForeignVersions(stage.api, examples);
  }
  terminal.line();
  terminal.line(terminal.paint.bold(`A first rollout: examples/shop to ${FLEET_SIZE} consumers`));
  await writeExamples(stage, examples);
  await story.startFleet();
  await roll(stage, `Promoting ${FLEET_ADDRESS}`, { action: 'promote' });
  await delay(READING_MS, signal);
  await refusedEdit(stage, checkout.document);
  await delay(READING_MS, signal);
  const before = await goodEdit(stage, checkout.document);
  await delay(READING_MS, signal);
  await roll(stage, `Rolling back to definition version ${before}`, {
    action: 'rollback',
    targetVersion: before,
    reason: 'the demo shows a rollback',
  });
}

/** @typedef {Story & { api: Api }} Stage */

/**
 * Everything is written, and everything but the checkout service itself released, which is what the
 * consumers are there to see.
 *
 * @param {Stage} stage @param {readonly Example[]} examples
 */
async function writeExamples({ api, terminal }, examples) {
  const step = terminal.step('Writing examples/shop');
  try {
    for (const { address, document, schema } of examples) {
      if (document !== undefined) await write(api, 'config', address, document);
      if (schema !== undefined) await write(api, 'schema', address, schema);
      await enable(api, address);
      if (address !== FLEET_ADDRESS) await promote(api, address);
    }
  } catch (error) {
    step.fail();
    throw error;
  }
  step.done(`${examples.length} addresses`);
}

/**
 * Writes over whatever version is there.
 *
 * @param {Api} api @param {'config' | 'schema'} kind @param {string} address @param {unknown} value
 * @returns {Promise<number>} version
 */
async function write(api, kind, address, value) {
  const current = await api.get(`/v1/config/${address}`);
  const there = current.status !== 404;
  if (there) expectSuccess(`Reading ${address}`, current);
  const headers = there ? { 'if-match': `"${current.body.version}"` } : { 'if-none-match': '*' };
  const answer = await api.put(`/v1/${kind}/${address}?message=demo`, value, headers);
  return expectSuccess(`Writing ${address}`, answer).version;
}

/** @param {Api} api @param {string} address */
async function enable(api, address) {
  const release = expectSuccess('Reading the release', await api.get(`/v1/release/${address}`));
  if (release.state !== 'disabled') return;
  const request = { action: 'enable', reason: 'demo' };
  expectSuccess(`Enabling ${address}`, await api.post(`/v1/release/${address}`, request));
}

/** @param {Api} api @param {string} address */
async function promote(api, address) {
  const answer = await api.post(`/v1/release/${address}`, { action: 'promote', reason: 'demo' });
  return expectSuccess(`Promoting ${address}`, answer);
}

/** @param {Stage} stage @param {any} document */
async function refusedEdit({ api, terminal }, document) {
  const { paint } = terminal;
  const edit = { ...document, limits: { ...document.limits, maxItems: 'many' } };
  const { body: newest } = await api.get(`/v1/config/${FLEET_ADDRESS}`);
  const headers = { 'if-match': `"${newest.version}"` };
  terminal.line(`Trying an edit that the schema refuses: limits.maxItems = "many"`);
  const { status, body } = await api.put(`/v1/config/${FLEET_ADDRESS}`, edit, headers);
  if (status !== 422)
    throw new Failure(`The schema of ${FLEET_ADDRESS} let a wrong edit pass (${status}).`);
  for (const error of body.errors ?? []) {
    terminal.line(`${paint.yellow('  refused')} ${describeError(error)}`);
  }
}

/** @param {Stage} stage @param {any} document @returns {Promise<number>} the stable version before */
async function goodEdit(stage, document) {
  const { api, terminal } = stage;
  const { stableVersion } = expectSuccess(
    'Reading the release',
    await api.get(`/v1/release/${FLEET_ADDRESS}`),
  );
  const maxItems = document.limits.maxItems + 10;
  const edit = { ...document, limits: { ...document.limits, maxItems } };
  const version = await write(api, 'config', FLEET_ADDRESS, edit);
  terminal.line(`Writing an edit: limits.maxItems = ${maxItems}, definition version ${version}`);
  await roll(stage, `Promoting definition version ${version}`, { action: 'promote' });
  return stableVersion;
}

/**
 * Asks for a transition and shows how it arrives.
 *
 * @param {Stage} stage @param {string} label @param {Record<string, unknown>} request
 */
async function roll({ api, terminal, signal }, label, request) {
  const step = terminal.step(label);
  try {
    const answer = await api.post(`/v1/release/${FLEET_ADDRESS}`, request);
    expectSuccess(label, answer);
    const effective = await api.get(`/v1/effective/${FLEET_ADDRESS}`);
    const { snapshotVersion } = expectSuccess('Reading the effective document', effective);
    const rollout = await watchRollout({ api, step, version: snapshotVersion, signal });
    const { max } = rollout.propagationMs;
    const last = max === null ? '' : `, the last after ${Math.round(max)} ms`;
    step.done(
      `snapshot v${snapshotVersion} applied by ${rollout.consumers.applied} of ${rollout.consumers.live}${last}`,
    );
  } catch (error) {
    step.fail();
    throw error;
  }
}

/**
 * Moves the bar until every live consumer, the demo's at least, has applied the version.
 *
 * @param {{ api: Api, step: import('./terminal.mjs').Step, version: number, signal: AbortSignal | undefined }} watched
 */
async function watchRollout({ api, step, version, signal }) {
  /** @type {any} */
  let last;
  const done = await poll(
    async () => {
      last = expectSuccess('Reading the rollout', await api.get(`/v1/rollout/${FLEET_ADDRESS}`));
      const published = last.published?.version ?? 0;
      const applied = published >= version ? last.consumers.applied : 0;
      step.progress(applied, Math.max(FLEET_SIZE, last.consumers.live), 'applied');
      return published >= version && last.converged && applied >= FLEET_SIZE;
    },
    { deadlineMs: ROLLOUT_DEADLINE_MS, everyMs: ASK_EVERY_MS, ...(signal && { signal }) },
  );
  if (done !== undefined) return last;
  const { live, applied, lagging, rejected } = last.consumers;
  throw new Failure(
    `Version ${version} did not reach everybody within ${ROLLOUT_DEADLINE_MS / 1000} s: ` +
      `of ${live} live consumers ${applied} applied it, ${lagging} lag, ${rejected} rejected it.`,
  );
}
