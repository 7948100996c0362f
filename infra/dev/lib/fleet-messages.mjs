/**
 * @typedef {{ readonly type: 'started', readonly consumers: number }} Started every consumer follows
 *   the address, or waits for its first snapshot
 *
 * @typedef {object} Applied all have applied a version, or some did and the others did not follow soon
 * @property {'applied'} type
 * @property {number} version
 * @property {number} applied
 * @property {number} consumers
 * @property {number} spreadMs from the first consumer's application to the last one's
 * @property {boolean} lowered it went back to an earlier definition
 * @property {number} changed of those who applied it, those who read something else by it
 * @property {readonly { path: string, value: unknown }[]} changes the first few
 *
 * @typedef {object} Rejected
 * @property {'rejected'} type
 * @property {number} version
 * @property {number} rejected
 * @property {number} consumers
 * @property {string} reason
 *
 * @typedef {{ readonly type: 'absent', readonly version: number }} Absent
 * @typedef {{ readonly type: 'problem', readonly message: string }} Problem
 * @typedef {Started | Applied | Rejected | Absent | Problem} FleetMessage
 */

const MAX_VALUE = 60;

/**
 * One line for people.
 *
 * @param {FleetMessage} message
 */
export function describeFleetMessage(message) {
  switch (message.type) {
    case 'started':
      return `${message.consumers} consumers started`;
    case 'applied':
      return describeApplied(message);
    case 'rejected':
      return `v${message.version} rejected by ${message.rejected} of ${message.consumers}: ${message.reason}`;
    case 'absent':
      return `v${message.version}: no document is left at this address`;
    case 'problem':
      return message.message;
  }
}

/** @param {Applied} message */
function describeApplied({ version, applied, consumers, spreadMs, lowered, changed, changes }) {
  const spread = `${spreadMs} ms from first to last`;
  const back = lowered ? ', back to an earlier version' : '';
  const what = changes.map(({ path, value }) => `${path} = ${shorten(value)}`).join(', ');
  const whom = changed < applied ? ` for ${changed} of them` : '';
  const news = what === '' ? '' : `: ${what}${whom}`;
  return `v${version} applied by ${applied} of ${consumers} (${spread}${back})${news}`;
}

/** @param {unknown} value */
function shorten(value) {
  const text = value === undefined ? 'removed' : JSON.stringify(value);
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}
