import type { PinnedBelow, PinView } from '@pawl/contracts';
import { plain } from '../output.js';

/** Addresses that are named of those that stay. */
const MAX_NAMED = 3;

/** What an address stays at, until when and why, in a line. */
export function pinText(address: string, pin: PinView): string {
  const { ancestor, version, until, by, reason, overdue } = pin;
  const late = overdue === undefined ? '' : `; overdue: ${overdue}`;
  const text = `${address} stays at version ${version} of ${ancestor} until ${until}, by ${by} (${reason})${late}`;
  return plain(text);
}

/** Who below stays at what, in a line; none where nobody does. */
export function pinnedBelowLines(below: PinnedBelow | undefined): string[] {
  if (below === undefined) return [];
  const { count, addresses } = below;
  const isLate = (one: (typeof addresses)[number]): number => Number(one.overdue !== undefined);
  const lateFirst = addresses.toSorted((a, b) => isLate(b) - isLate(a));
  const named = lateFirst.slice(0, MAX_NAMED).map(({ address, version, until, overdue }) => {
    const late = overdue === undefined ? '' : ` (overdue: ${overdue})`;
    return `${address} at version ${version} until ${until}${late}`;
  });
  const more = count - named.length;
  const rest = more === 0 ? '' : ` and ${more} more`;
  const who = count === 1 ? '1 address below stays' : `${count} addresses below stay`;
  return [plain(`${who}, whatever is released here: ${named.join(', ')}${rest}`)];
}
