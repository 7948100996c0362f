import { refused } from '@pawl/contracts';
import type { Outcome, ReleasePolicy, ReleaseRequest, Strategy } from '@pawl/contracts';
import { knownStrategies, resolveStrategy } from '@pawl/domain';

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
}

/** The promote with the strategy that it takes under a policy; refused without one that is demanded. */
export function takeStrategy(here: PolicyHere, request: ReleaseRequest): Outcome<PolicedRequest> {
  const { policy, demand } = here;
  const wanted = request.strategy ?? demand?.name;
  if (wanted === undefined) return { ok: true, value: { request } };
  const isOwn = typeof wanted === 'string' && Object.hasOwn(policy.strategies ?? {}, wanted);
  const strategy = isOwn ? policy.strategies?.[wanted] : wanted;
  const unusable = typeof wanted === 'string' ? judgeNamed(here, { wanted, strategy }) : undefined;
  if (unusable !== undefined) return unusable;
  if (demand !== undefined && !isInStages(strategy)) {
    return refused(
      'strategy-required',
      `${demand.by} has this released in stages: leave the strategy out for "${demand.name}", or name another that has stages`,
    );
  }
  const asked = { request: strategy === undefined ? request : { ...request, strategy } };
  return { ok: true, value: isOwn ? { ...asked, strategyName: wanted } : asked };
}

/** Why a strategy cannot be taken by its name, and where the name comes from. */
function judgeNamed(
  { policy, demand }: PolicyHere,
  of: { readonly wanted: string; readonly strategy: Strategy | undefined },
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
