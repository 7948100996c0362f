import { PIN_ACTIONS } from '@pawl/contracts';
import type { HistoryItem } from '@pawl/contracts';

/** What the API calls a strategy that was written out, where a line of history begins with its name. */
const WRITTEN_OUT = /^inline(?=$|[:,])/;

/** What is said of a line of history: the reason, or the message; of a pin what it keeps, too. */
export function whyText({ action = '', kind, reason, message }: HistoryItem): string {
  if ((PIN_ACTIONS as readonly string[]).includes(action)) {
    return [message, reason].filter(Boolean).join(': ');
  }
  const told =
    kind === 'release' ? message?.replace(WRITTEN_OUT, 'a strategy of its own') : message;
  return reason ?? told ?? '';
}
