import type { QueuedView } from '@pawl/contracts';
import { plain } from '../output.js';

/** A promote that was to begin later and is dropped, in a line. */
export function droppedText({ targetVersion, strategy, by, at, reason }: QueuedView): string {
  const how = strategy === 'inline' ? '' : ` by ${strategy}`;
  const when = at === undefined ? 'was queued' : `was to begin at ${at}`;
  const why = reason === undefined ? '' : ` (${reason})`;
  return plain(
    `version ${targetVersion}${how}, which ${when}, is dropped; ${by} had asked for it${why}`,
  );
}

/** A promote that begins later, in a line: what, when, and why not yet. */
export function queuedText(queued: QueuedView): string {
  const { targetVersion, strategy, by, at, waitsFor, reason } = queued;
  const how = strategy === 'inline' ? '' : ` by ${strategy}`;
  const when = at === undefined ? 'is queued' : `is to begin at ${at}`;
  const why = reason === undefined ? '' : ` (${reason})`;
  const what = `version ${targetVersion}${how} ${when}, asked for by ${by}${why}`;
  return plain(waitsFor === undefined ? what : `${what}; ${waitsText(waitsFor)}`);
}

/** The API names what has to come first, or says why it has not begun. */
function waitsText(waitsFor: string): string {
  if (waitsFor === 'it begins') return waitsFor;
  const isNamed = waitsFor === 'its time' || waitsFor.startsWith('the end of ');
  return `it waits${isNamed ? ' for ' : ': '}${waitsFor}`;
}
