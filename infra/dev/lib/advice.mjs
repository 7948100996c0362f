import { join, relative } from 'node:path';
import { FLEET_ADDRESS } from './fleet.mjs';
import { REPOSITORY } from './repository.mjs';

/**
 * What to try next.
 *
 * @param {{ url: string, data: import('./data-folder.mjs').DataFolder, fleet: boolean, nodes: readonly import('./nodes.mjs').RunningNode[] | undefined, paint: import('./terminal.mjs').Paint }} options
 * @returns {string}
 */
export function describeNext({ url, data, fleet, nodes, paint }) {
  const cli = `${cliPrefix(data)}npx --no-install pawl`;
  const lines = [
    `${paint.green(paint.bold('Pawl runs'))} at ${paint.bold(url)}, API at ${url}/openapi.json, data in ${data.path}`,
    ...(nodes ?? []).map(
      ({ node, url: at, service }) => `  ${node.id}  ${at}  process ${service.pid}`,
    ),
    '',
    'Try next, in another terminal:',
    ...(fleet ? [] : [`  ${paint.cyan(`${cli} apply -f examples/shop --promote`)}`]),
    `  ${paint.cyan(`curl -s '${url}/v1/effective/${FLEET_ADDRESS}?explain=true'`)}`,
    `  ${paint.cyan(`${cli} config edit ${FLEET_ADDRESS}`)}`,
    `  ${paint.cyan(`${cli} promote ${FLEET_ADDRESS}`)}`,
    `  ${paint.cyan(`${cli} status ${FLEET_ADDRESS} --watch`)}`,
    ...describeFailover(nodes, cli, paint),
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
      ? `Every version that the demo fleet applies is printed here. ${cliPrefix(data)}npm run demo repeats the demo.`
      : `${cliPrefix(data)}npm run demo shows a first rollout.`,
    'Ctrl-C stops everything.',
  ];
  return lines.join('\n');
}

/**
 * @param {readonly import('./nodes.mjs').RunningNode[] | undefined} nodes
 * @param {string} cli
 * @param {import('./terminal.mjs').Paint} paint
 */
function describeFailover(nodes, cli, paint) {
  const victim = nodes?.at(-1);
  if (nodes === undefined || victim === undefined || nodes.length < 3) return [];
  return [
    `or lose ${victim.node.id}, and see the others take its shards over:`,
    `  ${paint.cyan(`kill -9 ${victim.service.pid}`)}`,
    `  ${paint.cyan(`${cli} cluster status`)}`,
  ];
}

/** @returns {string} of the commands `pawl` and `npm run demo`: they find the control plane through the data folder; the usual one needs no word. */
export function cliPrefix(/** @type {{ readonly path: string }} */ data) {
  if (data.path === join(REPOSITORY, '.pawl')) return '';
  const shorter = relative(process.cwd(), data.path);
  return `PAWL_DATA_DIR=${shorter.startsWith('..') ? data.path : shorter} `;
}
