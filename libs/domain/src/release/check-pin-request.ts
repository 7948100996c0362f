import { PIN_ACTIONS, refused } from '@pawl/contracts';
import type { Outcome, PinAction, ReleaseRequest } from '@pawl/contracts';

/** What a pin does not take, beside what no other action takes. */
const FOREIGN = ['strategy', 'conflict', 'at', 'preempt', 'workloads', 'stage'] as const;

export function isPinAction(action: string): action is PinAction {
  return (PIN_ACTIONS as readonly string[]).includes(action);
}

/** What is wrong with a request whatever the states are; `undefined` when nothing is. */
export function checkPinRequest(
  action: PinAction,
  request: ReleaseRequest,
): Outcome<never> | undefined {
  const { ancestor, targetVersion, until, expireMs, reason } = request;
  const malformed = (detail: string): Outcome<never> => refused('malformed-request', detail);
  if (ancestor === undefined) {
    return malformed(`${action} needs the ancestor: say of which address above`);
  }
  const foreign = FOREIGN.find((name) => request[name] !== undefined);
  if (foreign !== undefined) return malformed(`${action} takes no ${foreign}: leave it out`);
  if (request.force === true) {
    const instead =
      action === 'pin'
        ? ''
        : `: release at ${ancestor} what fits, or where it does not fit a schema that takes it`;
    return malformed(`${action} cannot be forced, only rollback can${instead}`);
  }
  const ends = until !== undefined || expireMs !== undefined;
  if (action === 'unpin') {
    if (targetVersion === undefined && !ends) return undefined;
    return malformed('unpin takes no version and no end: only pin does');
  }
  if ((until === undefined) === (expireMs === undefined)) {
    return malformed('a pin needs an end: send expireMs, how long, or until, a time; one of them');
  }
  if ((reason ?? '').trim() !== '') return undefined;
  return malformed('a pin needs a reason: whoever finds it wants to know why it is there');
}
