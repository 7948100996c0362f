import { FORMAT, PREFLIGHT_LASTS, PREFLIGHT_MS } from '@pawl/contracts';
import type {
  Address,
  MergeView,
  Outcome,
  OwnerCall,
  ReleaseView,
  WrittenView,
} from '@pawl/contracts';
import type {
  Away,
  CommandContext,
  ConfigEngine,
  WriteOptions,
  Written,
} from '../config-engine.js';
import { answerCall } from './answer-call.js';
import { ReadErrand, WriteErrand } from './errand.js';
import type { AnswerMessage } from './errand.js';
import { FollowedRollouts } from './followed-rollouts.js';
import { Router } from './router.js';
import type { RouterOptions } from './router.js';

export interface RoutedEngineOptions extends RouterOptions {
  /** This node's own use-cases. */
  readonly local: ConfigEngine;
  /** Rollout and consumers as they were last saved, for while the owner does not answer. */
  readonly saved?: Pick<ConfigEngine, 'getRollout' | 'listConsumers'>;
  /** A random identifier: what an owner recognises a command by that is sent twice. */
  readonly newId: () => string;
  /**
   * Lets work on a body of so many characters begin when its turn comes, for requests that waited for
   * another node and are done here after all. At once if left out.
   */
  readonly inTurn?: (
    length: number,
    work: () => Promise<Outcome<unknown>>,
  ) => Promise<Outcome<unknown>>;
}

/** How long a preflight may take beside the waiting for votes: checks, and the way to its owner. */
const PREFLIGHT_EXTRA_MS = 15_000;
/** How long the owner is waited for, or sought, before status is told as it was saved. */
const STATUS_MS = 700;

type Head = 'format' | 'kind' | 'address';
/** What a call says besides whom it is for. */
type Call = OwnerCall extends infer One ? (One extends OwnerCall ? Omit<One, Head> : never) : never;

/**
 * Every use-case on any node: what belongs to one address is done by the address's owner, wherever
 * that is (see {@link Router}); the rest, and what consumers say, by this node.
 */
export function routedEngine(options: RoutedEngineOptions): ConfigEngine {
  const { local } = options;
  const router = new Router(options);
  const followed = new FollowedRollouts(options);
  return {
    ...routedWrites(options, router),
    ...routedReads(options, router),
    preflight: routedPreflight(options, router),
    watchRollout: (address, changed) => {
      const [own, others] = [
        local.watchRollout(address, changed),
        followed.follow(address, changed),
      ];
      return {
        stop: () => {
          own.stop();
          others.stop();
        },
      };
    },
    consumersThen: (address, query) => local.consumersThen(address, query),
    listAudit: (query) => local.listAudit(query),
    listScopes: (query) => local.listScopes(query),
    listReleases: (query) => local.listReleases(query),
    listEndedReleases: (query) => local.listEndedReleases(query),
    endedRelease: (id) => local.endedRelease(id),
    findRelease: (id) => local.findRelease(id),
    cluster: () => local.cluster(),
    hello: (from, hello) => local.hello(from, hello),
    ack: (from, ack) => local.ack(from, ack),
    vote: (from, vote) => local.vote(from, vote),
  };
}

type Writes = Pick<
  ConfigEngine,
  'putConfig' | 'patchConfig' | 'putSchema' | 'deleteSchema' | 'mergeConfig' | 'release'
>;

function routedWrites(options: RoutedEngineOptions, router: Router): Writes {
  const { local, newId } = options;
  const ways = { newId, answer: answerHere(options) };
  const write = <T>(
    address: Address,
    context: CommandContext,
    work: {
      readonly here: (context: CommandContext) => Promise<Outcome<Written<T>>>;
      readonly call: (context: CommandContext) => Call;
      readonly away?: Away | undefined;
    },
  ): Promise<Outcome<Written<T>>> => {
    const call = (keyed: CommandContext): OwnerCall => callAt(address, work.call(keyed));
    return runWrite(router, address, new WriteErrand<T>(context, { ...work, call }, ways));
  };
  const define = (
    { address, precondition, message, context, away }: WriteOptions,
    call: DefinitionCall,
    here: (options: WriteOptions) => Promise<Outcome<Written<WrittenView>>>,
  ): Promise<Outcome<Written<WrittenView>>> => {
    const given = { precondition, ...(message === undefined ? {} : { message }) };
    return write(address, context, {
      here: (keyed) => here({ address, ...given, context: keyed }),
      call: (keyed) => ({ ...call, ...given, context: keyed }),
      away,
    });
  };
  return {
    putConfig: (given, document) =>
      define(given, { operation: 'put-config', document }, (keyed) =>
        local.putConfig(keyed, document),
      ),
    patchConfig: (given, patchKind, patch) =>
      define(given, { operation: 'patch-config', patchKind, patch }, (keyed) =>
        local.patchConfig(keyed, patchKind, patch),
      ),
    putSchema: (given, schema) =>
      define(given, { operation: 'put-schema', schema }, (keyed) => local.putSchema(keyed, schema)),
    deleteSchema: (given) =>
      define(given, { operation: 'delete-schema' }, (keyed) => local.deleteSchema(keyed)),
    mergeConfig: (given, change) =>
      define(given, { operation: 'merge-config', change }, (keyed) =>
        local.mergeConfig(keyed, change),
      ),
    release: (address, request, context, away) =>
      write<ReleaseView>(address, context, {
        here: (keyed) => local.release(address, request, keyed),
        call: (keyed) => ({ operation: 'release', request, context: keyed }),
        away,
      }),
  };
}

/** Holds nothing of the request but the errand, which lets go of the parsed body once it is a message. */
async function runWrite<T>(
  router: Router,
  { root }: Address,
  errand: WriteErrand<T>,
): Promise<Outcome<Written<T>>> {
  const outcome = await router.run(root, errand);
  // A caller that gave no key has not seen a first answer.
  if (!outcome.ok || !errand.isRouted) return outcome;
  return { ok: true, value: { ...outcome.value, replayed: false } };
}

function answerHere({ local, inTurn }: RoutedEngineOptions): AnswerMessage {
  return ({ json }) => {
    const work = (): Promise<Outcome<unknown>> => answerCall(local, JSON.parse(json) as OwnerCall);
    return inTurn === undefined ? work() : inTurn(json.length, work);
  };
}

type Reads = Pick<
  ConfigEngine,
  | 'planMerge'
  | 'getMergeBase'
  | 'getConfig'
  | 'getSchema'
  | 'getRelease'
  | 'getEffective'
  | 'getRollout'
  | 'sumUpRelease'
  | 'listConsumers'
  | 'listHistory'
  | 'diff'
  | 'preview'
  | 'lookAgain'
>;

function routedReads(options: RoutedEngineOptions, router: Router): Reads {
  const { local, saved } = options;
  const answer = answerHere(options);
  const read: Read = (address, call, here, away) => {
    const work = { here, call: () => callAt(address, call), away };
    return router.run(address.root, new ReadErrand(work, answer));
  };
  /** From the owner if it answers soon, else as it was saved: nobody waits for the next owner. */
  const status = async <T>(
    address: Address,
    call: Call,
    from: {
      readonly here: () => Promise<Outcome<T>>;
      readonly saved: () => Promise<Outcome<T>> | undefined;
    },
  ): Promise<Outcome<T>> => {
    const errand = new ReadErrand({ here: from.here, call: () => callAt(address, call) }, answer);
    const outcome = await router.run<T>(address.root, errand, STATUS_MS);
    if (outcome.ok || outcome.problem.code !== 'no-owner') return outcome;
    const kept = await from.saved();
    return kept === undefined || isUnknown(kept) ? outcome : kept;
  };
  return {
    ...mergeReads(local, read),
    getConfig: (address, version) =>
      read(address, { operation: 'get-config', ...versionOf(version) }, () =>
        local.getConfig(address, version),
      ),
    getSchema: (address, version) =>
      read(address, { operation: 'get-schema', ...versionOf(version) }, () =>
        local.getSchema(address, version),
      ),
    getRelease: (address) =>
      read(address, { operation: 'get-release' }, () => local.getRelease(address)),
    getEffective: (address, query) =>
      read(address, { operation: 'get-effective', ...query }, () =>
        local.getEffective(address, query),
      ),
    getRollout: (address) =>
      status(
        address,
        { operation: 'get-rollout' },
        { here: () => local.getRollout(address), saved: () => saved?.getRollout(address) },
      ),
    sumUpRelease: (address, id) =>
      read(address, { operation: 'sum-up-release', id }, () => local.sumUpRelease(address, id)),
    listConsumers: (address, query) =>
      status(
        address,
        { operation: 'list-consumers', ...query },
        {
          here: () => local.listConsumers(address, query),
          saved: () => saved?.listConsumers(address, query),
        },
      ),
    listHistory: (address, query) =>
      read(address, { operation: 'list-history', ...query }, () =>
        local.listHistory(address, query),
      ),
    diff: (address, from, to) =>
      read(address, { operation: 'diff', from, to }, () => local.diff(address, from, to)),
    preview: (address, request, away) =>
      read(address, { operation: 'preview', request }, () => local.preview(address, request), away),
    lookAgain: (address) =>
      read(address, { operation: 'look-again' }, () => local.lookAgain(address)),
  };
}

type Read = <T>(
  address: Address,
  call: Call,
  here: () => Promise<Outcome<T>>,
  away?: Away,
) => Promise<Outcome<T>>;

function mergeReads(local: ConfigEngine, read: Read): Pick<Reads, 'planMerge' | 'getMergeBase'> {
  return {
    planMerge: (address, change, away) => {
      const here = (): Promise<Outcome<MergeView>> => local.planMerge(address, change);
      return read(address, { operation: 'plan-merge', change }, here, away);
    },
    getMergeBase: (address, from) =>
      read(address, { operation: 'get-merge-base', from: from.text }, () =>
        local.getMergeBase(address, from),
      ),
  };
}

/** Takes longer than one attempt to reach the owner may: each joins what the first has begun. */
function routedPreflight(options: RoutedEngineOptions, router: Router): ConfigEngine['preflight'] {
  return (address, request, id) => {
    const work = {
      here: () => options.local.preflight(address, request, id),
      call: () => callAt(address, { operation: 'preflight', request, id }),
    };
    const votesMs = PREFLIGHT_LASTS * (request.timeoutMs ?? PREFLIGHT_MS.preset);
    const deadlineMs = PREFLIGHT_EXTRA_MS + votesMs;
    return router.run(address.root, new ReadErrand(work, answerHere(options)), deadlineMs);
  };
}

function isUnknown(outcome: Outcome<unknown>): boolean {
  return !outcome.ok && outcome.problem.code === 'truth-unavailable';
}

type DefinitionCall = Call extends infer One
  ? One extends { readonly precondition: unknown }
    ? Omit<One, 'precondition' | 'message' | 'context'>
    : never
  : never;

function callAt(address: Address, call: Call): OwnerCall {
  return { format: FORMAT, kind: 'call', address: address.text, ...call };
}

function versionOf(version: number | undefined): { readonly version?: number } {
  return version === undefined ? {} : { version };
}
