import type { MsgHdrs } from '@nats-io/transport-node';

/** How long whoever sent a command waits for its answer, milliseconds: clocks of nodes may differ. */
const DEADLINE = 'Pawl-Deadline';
const DEADLINE_FORM = /^[1-9][0-9]{0,6}$/;

/** Of a command that does not tell: more than any node waits. */
export const DEFAULT_DEADLINE_MS = 60_000;

export function setDeadline(headers: MsgHdrs, deadlineMs: number): void {
  headers.set(DEADLINE, String(Math.max(1, Math.ceil(deadlineMs))));
}

/** Milliseconds from now on, on the message that completes the command. */
export function deadlineIn(headers: MsgHdrs | undefined): number | undefined {
  const text = headers?.get(DEADLINE) ?? '';
  return DEADLINE_FORM.test(text) ? Number(text) : undefined;
}
