import { canonicalize, LIMITS, refused } from '@pawl/contracts';
import type {
  Outcome,
  PolicyVersion,
  ReleasePolicy,
  ReleaseRequest,
  Strategy,
} from '@pawl/contracts';
import { expireMsOf, progressMsOf, knownStrategies, resolveStrategy } from '@pawl/domain';
import type { QueuedRelease, ResolvedStrategy } from '@pawl/domain';

/** The policy that an address is released by. */
export interface PolicyHere {
  readonly policy: ReleasePolicy;
  /** The strategy that every promote needs, and the policy that says so. */
  readonly demand?: { readonly name: string; readonly by: string };
}

/** A request as the policy makes it: a strategy by its name is the one that the policy has. */
export interface PolicedRequest {
  readonly request: ReleaseRequest;
  /** Of the policy's strategy that it takes. */
  readonly strategyName?: string;
  /** Which policy has it. */
  readonly policyVersion?: PolicyVersion;
}

/** A promote, and what was queued where it begins that. */
export interface Promote {
  readonly request: ReleaseRequest;
  readonly begins?: QueuedRelease;
}

/** How the reason of a promote begins that takes another strategy than is demanded. */
const OTHER = 'other than the demanded';

/**
 * The promote with the strategy that it takes under a policy. Where one is demanded, another is refused
 * (`strategy-required`) unless it has stages, and there is a reason why.
 */
export function takeStrategy(here: PolicyHere, promote: Promote): Outcome<PolicedRequest> {
  const { policy, demand } = here;
  const { request, begins } = promote;
  const wanted = request.strategy ?? demand?.name;
  if (wanted === undefined) return { ok: true, value: { request } };
  const { strategy, isOwn } = strategyOf(policy, wanted);
  const name = typeof wanted === 'string' ? wanted : undefined;
  const unusable = name === undefined ? undefined : judgeNamed(here, { wanted: name, strategy });
  if (unusable !== undefined) return unusable;
  if (demand !== undefined && !isInStages(strategy)) {
    return refused(
      'strategy-required',
      `${demand.by} has this released in stages: leave the strategy out for "${demand.name}"`,
    );
  }
  const why = begins === undefined ? request.reason : begins.reason;
  if (demand !== undefined && (why ?? '').trim() === '' && isOther(here, promote)) {
    return refused(
      'strategy-required',
      `${demand.by} demands the strategy "${demand.name}": leave the strategy out for it, or say why it ` +
        'has to be another: with --reason, in a request as reason',
    );
  }
  const asked = { request: { ...request, strategy } };
  return {
    ok: true,
    value: isOwn && name !== undefined ? { ...asked, strategyName: name } : asked,
  };
}

/** The promote with a reason that says so where it takes another strategy than is demanded. */
export function noteOther(here: PolicyHere, promote: Promote): ReleaseRequest {
  const { request } = promote;
  const { reason = '' } = request;
  const isNoted = reason.trim() === '' || reason.includes(OTHER);
  if (here.demand === undefined || isNoted || !isOther(here, promote)) return request;
  const noted = `${OTHER} ${here.demand.name}: ${reason}`;
  return { ...request, reason: noted.slice(0, LIMITS.messageLength) };
}

/**
 * Whether it takes another strategy than is demanded. What was queued under that name was what the
 * policy had for it then; what is no strategy is judged elsewhere.
 */
function isOther({ policy, demand }: PolicyHere, { request, begins }: Promote): boolean {
  const { strategy: wanted } = request;
  if (demand === undefined || wanted === undefined || wanted === demand.name) return false;
  const { strategy: theirs, isOwn } = strategyOf(policy, demand.name);
  if (isOwn && begins?.strategy?.strategy === demand.name) return false;
  const resolved = resolveStrategy(strategyOf(policy, wanted).strategy);
  if (!resolved.ok) return false;
  const demanded = resolveStrategy(theirs);
  const taken = begins === undefined ? resolved.value : begins.strategy;
  return !demanded.ok || courseOf(taken) !== courseOf(demanded.value);
}

/** What a strategy does, whatever it is called. */
function courseOf(strategy: ResolvedStrategy | null): string {
  if (strategy === null) return '';
  const { stages, gates, preflight = false } = strategy;
  return canonicalize([stages, gates, preflight, expireMsOf(strategy), progressMsOf(strategy)]);
}

function strategyOf(
  { strategies = {} }: ReleasePolicy,
  wanted: Strategy,
): { readonly strategy: Strategy; readonly isOwn: boolean } {
  const own =
    typeof wanted === 'string' && Object.hasOwn(strategies, wanted)
      ? strategies[wanted]
      : undefined;
  return { strategy: own ?? wanted, isOwn: own !== undefined };
}

/** Why a strategy cannot be taken by its name, and where the name comes from. */
function judgeNamed(
  { policy, demand }: PolicyHere,
  of: { readonly wanted: string; readonly strategy: Strategy },
): Outcome<never> | undefined {
  const { wanted, strategy } = of;
  const resolved = resolveStrategy(strategy);
  if (resolved.ok) return undefined;
  const isDemanded = demand?.name === wanted;
  const whose = isDemanded ? `, which ${demand.by} demands,` : '';
  if (strategy !== wanted) {
    const detail = `the strategy "${wanted}"${whose} of the release policy is of no use: ${resolved.problem.detail}`;
    return refused(resolved.problem.code, detail);
  }
  const detail = `there is no strategy "${wanted}"${whose}: those known here are ${knownStrategies(policy)}`;
  return refused(resolved.problem.code, `${detail}; or send stages`);
}

/** Whether somebody is reached before everybody is; what is no strategy is judged elsewhere. */
function isInStages(strategy: ReleaseRequest['strategy']): boolean {
  const resolved = resolveStrategy(strategy);
  return !resolved.ok || (resolved.value?.stages.length ?? 0) > 1;
}
