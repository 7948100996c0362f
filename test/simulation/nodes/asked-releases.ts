import type { ReleaseRequest, ReleaseView } from '@pawl/contracts';
import { heldOf } from './approval-rules.js';
import type { NewRelease } from './kept-truth.js';
import type { ToldTransition } from './told-transitions.js';
import type { Violations } from './violations.js';

/** What stops and takes back is not refused for these. */
const NEVER_FOR: ReadonlySet<string> = new Set([
  ...['frozen', 'release-in-flight', 'too-many-releases', 'release-queued', 'strategy-required'],
]);
const ALWAYS: ReadonlySet<string> = new Set([
  ...['rollback', 'disable', 'abort', 'pause', 'hold', 'block', 'cancel'],
]);

const ENDS: ReadonlySet<string> = new Set(['rollback', 'disable', 'abort']);

/** What operators have asked releases for, by command: nothing else is done in their name. */
export class AskedReleases {
  readonly #asked = new Map<string, ReleaseRequest>();

  constructor(private readonly judge: Violations) {}

  /** A command is about to be sent. */
  ask(op: string, request: ReleaseRequest): void {
    this.#asked.set(op, request);
  }

  of(op: string): ReleaseRequest | undefined {
    return this.#asked.get(op);
  }

  exceptionOf(op: string): string | undefined {
    return this.#asked.get(op)?.freezeException;
  }

  isRequeue(op: string): boolean {
    return this.#asked.get(op)?.conflict === 'requeue';
  }

  refused(op: string, code: string): void {
    const { action = '', targetVersion } = this.#asked.get(op) ?? {};
    // One that stays at what it is does not go up.
    const isAlways = ALWAYS.has(action) || (action === 'pin' && targetVersion === undefined);
    const isFree = !isAlways || !NEVER_FOR.has(code);
    this.judge.demand(isFree, `${op}, ${action}, waits for nothing, and is refused: ${code} (§4)`);
  }

  /** What the command of an operator was answered. */
  acknowledged(op: string, { staged, queued, pins = [] }: ReleaseView): void {
    const { action = '', ancestor } = this.#asked.get(op) ?? {};
    const isOver = !ENDS.has(action) || staged === undefined;
    this.judge.demand(isOver, `${op}, ${action}, is acknowledged, and nothing is under way (§4)`);
    const isDropped = action !== 'cancel' || queued === undefined;
    this.judge.demand(isDropped, `${op}, ${action}, is acknowledged, and nothing is queued (§4)`);
    const isThere = pins.some((pin) => pin.ancestor === ancestor);
    const isPinned = action === 'pin' ? isThere : action !== 'unpin' || !isThere;
    this.judge.demand(isPinned, `${op}, ${action}, is acknowledged, and is so (§4)`);
  }

  /** A transition in a person's name. */
  took({ op, action }: ToldTransition, now: NewRelease, next: NewRelease): void {
    const request = this.#asked.get(op);
    const what = `${action} by ${op} is what was asked for (§4)`;
    const isQueued = action === 'queue' || action === 'schedule';
    this.judge.demand(request?.action === (isQueued ? 'promote' : action), what);
    if (request === undefined) return;
    if (action === 'hold') {
      const wanted = { ...now.staged?.held, ...request.workloads };
      const isHeld = heldOf({ held: wanted }).join() === heldOf(next.staged ?? {}).join();
      this.judge.demand(isHeld, what);
    }
    if (!isQueued) return;
    const { at, conflict = 'refuse', targetVersion } = request;
    const { queued } = next;
    const isAt = at === undefined ? queued?.beginAt === null : isSameTime(at, queued?.beginAt);
    const isTarget = targetVersion === undefined || targetVersion === queued?.targetVersion;
    const replaces = now.queued === null || conflict === 'requeue';
    const waits = at !== undefined || conflict === 'queue' || conflict === 'requeue';
    this.judge.demand(isAt && isTarget && replaces && waits, what);
  }
}

function isSameTime(one: string, other: string | null | undefined): boolean {
  return typeof other === 'string' && Date.parse(one) === Date.parse(other);
}
