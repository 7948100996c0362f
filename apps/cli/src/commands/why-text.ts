import { PIN_ACTIONS } from '@pawl/contracts';
import type { HistoryItem } from '@pawl/contracts';

/** What is said of a line of history: the reason, or the message; of a pin what it keeps, too. */
export function whyText({ action = '', reason, message }: HistoryItem): string {
  if (!(PIN_ACTIONS as readonly string[]).includes(action)) return reason ?? message ?? '';
  return [message, reason].filter(Boolean).join(': ');
}
