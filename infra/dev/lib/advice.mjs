import { join, relative } from 'node:path';
import { FLEET_ADDRESS } from './fleet.mjs';
import { REPOSITORY } from './repository.mjs';

/**
 * What to try next.
 *
 * @param {{ url: string, data: import('./data-folder.mjs').DataFolder, fleet: boolean, paint: import('./terminal.mjs').Paint }} options
 * @returns {string}
 */
export function describeNext({ url, data, fleet, paint }) {
  const cli = `${cliPrefix(data)}npx --no-install pawl`;
  const lines = [
    `${paint.green(paint.bold('Pawl runs'))} at ${paint.bold(url)}, API at ${url}/openapi.json, data in ${data.path}`,
    '',
    'Try next, in another terminal:',
    ...(fleet ? [] : [`  ${paint.cyan(`${cli} apply -f examples/shop --promote`)}`]),
    `  ${paint.cyan(`curl -s '${url}/v1/effective/${FLEET_ADDRESS}?explain=true'`)}`,
    `  ${paint.cyan(`${cli} config edit ${FLEET_ADDRESS}`)}`,
    `  ${paint.cyan(`${cli} promote ${FLEET_ADDRESS}`)}`,
    `  ${paint.cyan(`${cli} status ${FLEET_ADDRESS} --watch`)}`,
    'or one edit with curl alone, released at once:',
    `  ${paint.cyan(
      `curl -X PATCH ${url}/v1/config/${FLEET_ADDRESS} -H 'If-Match: *' ` +
        `-H 'content-type: application/merge-patch+json' -d '{"limits":{"maxItems":75}}'`,
    )}`,
    `  ${paint.cyan(
      `curl -X POST ${url}/v1/release/${FLEET_ADDRESS} -H 'content-type: application/json' -d '{"action":"promote"}'`,
    )}`,
    '',
    fleet
      ? 'Every version that the demo fleet applies is printed here. npm run demo repeats the demo.'
      : 'npm run demo shows a first rollout.',
    'Ctrl-C stops everything.',
  ];
  return lines.join('\n');
}

/** The CLI finds the control plane through the data folder; the usual one needs no word. */
function cliPrefix(/** @type {import('./data-folder.mjs').DataFolder} */ data) {
  if (data.path === join(REPOSITORY, '.pawl')) return '';
  const shorter = relative(process.cwd(), data.path);
  return `PAWL_DATA_DIR=${shorter.startsWith('..') ? data.path : shorter} `;
}
