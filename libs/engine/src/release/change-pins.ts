import { done, isAtOrBelow, parseAddress, refused } from '@pawl/contracts';
import type { Address, Outcome, PinAction, ReleaseRequest, ReleaseView } from '@pawl/contracts';
import { checkPinRequest, INITIAL_RELEASE, planPin, planUnpin } from '@pawl/domain';
import type { PinTransition } from '@pawl/domain';
import type { CommandContext, Written } from '../config-engine.js';
import type { EngineContext } from '../engine-context.js';
import type { Publication } from '../publication/publication.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import type { AddressNode, PinnedLayers } from '../sharding/root-tree.js';
import type { CommandRunner, Prepared } from '../sharding/run-command.js';
import { storedDefinition } from '../sharding/stored-definition.js';
import { NO_CHANGES } from '../sharding/truth-store.port.js';
import type { HistoryEntry } from '../sharding/truth-store.port.js';
import { pinnedVersions } from '../sharding/way-down.js';
import { allVariants } from './evaluate-change.js';
import type { Variant } from './evaluate-change.js';
import { pinnedBelow } from './pinned-below.js';
import { pinEnd } from './pin-end.js';
import { refusal } from './refusal.js';
import { judgeFreeze } from './release-policy.js';
import { releaseView } from './release-view.js';
import { tooManyUnpinned } from './releases-in-flight.js';
import { takeHeads, variantHeads } from './variant-heads.js';
import { wakeFor } from './wake-for.js';

interface Change {
  readonly root: OwnedRoot;
  readonly node: AddressNode;
  /** The ancestor; unknown where it was never written. */
  readonly above: AddressNode | undefined;
  readonly ancestor: Address;
  readonly action: PinAction;
  readonly request: ReleaseRequest;
  readonly context: CommandContext;
}

/** What is to be so. */
interface Planned extends PinTransition {
  readonly pinned: PinnedLayers;
}

/** Keeps addresses at a version of one above them, and lets them go again. */
export class ChangePins {
  constructor(
    private readonly context: EngineContext,
    private readonly commands: CommandRunner,
    private readonly publication: Publication,
  ) {}

  run(
    address: Address,
    request: ReleaseRequest & { readonly action: PinAction },
    context: CommandContext,
  ): Promise<Outcome<Written<ReleaseView>>> {
    const { action } = request;
    const isUrgent = action === 'pin';
    const options = { name: 'release', address, mode: 'exclusive', isUrgent, context } as const;
    return this.commands.run(options, async (root) => {
      const malformed = checkPinRequest(action, request);
      if (malformed !== undefined) return malformed;
      const parsed = parseAddress(request.ancestor ?? '');
      const isAbove = parsed.ok && isAtOrBelow(address, parsed.address);
      if (!isAbove || parsed.address.text === address.text) return notAbove(address, request);
      const node = root.tree.get(address);
      if (node === undefined || node.newest === null) {
        return action === 'pin' ? noDefinition(address) : nothingKept(address);
      }
      const ancestor = parsed.address;
      const above = root.tree.get(ancestor);
      return this.#prepare({ root, node, above, ancestor, action, request, context });
    });
  }

  async #prepare(change: Change): Promise<Outcome<Prepared<ReleaseView>>> {
    const { node, root, request } = change;
    const plan = this.#plan(change);
    if (!plan.ok) return plan;
    const { changed, above, pin, raises } = plan.value;
    if (!changed) return done(this.#unchanged(change));
    const place = { tree: root.tree, address: node.address };
    const frozen = raises ? judgeFreeze(this.context, place, request) : undefined;
    if (frozen !== undefined) return frozen;
    const pinned = await this.#pinned(change, plan.value);
    const planned = { ...plan.value, pinned };
    // What is kept stays: only its end is another one.
    if (pin !== null && above === null) return done(await this.#write(change, planned, []));
    const tooMany = pin === null ? tooManyUnpinned(root.tree, node, pinned) : undefined;
    if (tooMany !== undefined) return tooMany;
    const hypothesis = { address: node.address, changes: new Map(), pinned };
    const variants = await allVariants(this.context, root.tree, hypothesis);
    const trouble = refusal(variants);
    if (trouble !== undefined) return { ok: false, problem: trouble };
    return done(await this.#write(change, planned, variants));
  }

  #plan({ node, above, ancestor, action, request, context, root }: Change): Outcome<PinTransition> {
    const { expectedReleaseVersion, targetVersion, reason = '' } = request;
    const { address, release: state } = node;
    const about = { state, ancestor: ancestor.text, expectedReleaseVersion };
    const own = { ...about, address: address.text, above: above?.release ?? INITIAL_RELEASE };
    if (action === 'unpin') return planUnpin(own);
    if (above === undefined || above.newest === null) return nothingToKeep(ancestor);
    const end = pinEnd(this.context, request);
    if (!end.ok) return end;
    const path = root.tree.path(address).filter((one) => one !== node);
    return planPin({
      ...{ ...own, targetVersion, until: end.value, reason },
      between: pinnedVersions(path, ancestor.text),
      asked: { by: context.actor, at: this.#now() },
    });
  }

  /** What the address keeps then. */
  async #pinned(
    { node, above, ancestor, root }: Change,
    { pin }: PinTransition,
  ): Promise<PinnedLayers> {
    const pinned = new Map(node.pinned);
    pinned.delete(ancestor.text);
    if (pin === null || above === undefined) return pinned;
    const { version } = pin;
    const known = [
      node.pinned.get(ancestor.text)?.definition,
      ...[above.stable, above.newest, above.candidate],
    ];
    const definition =
      known.find((one) => one?.version === version) ??
      (await storedDefinition(this.context, root, { address: ancestor, version }));
    return pinned.set(ancestor.text, { pin, at: node.address.text, definition });
  }

  #unchanged({ node, root }: Change): Prepared<ReleaseView> {
    const body = releaseView(node.address, node.release, {
      pinnedBelow: pinnedBelow(root.tree, node),
    });
    return { status: 200, body, changes: null, apply: () => undefined };
  }

  async #write(
    change: Change,
    { next, above: nextAbove, pinned, pin }: Planned,
    variants: readonly Variant[],
  ): Promise<Prepared<ReleaseView>> {
    const { root, node, above } = change;
    const releases = [
      { address: node.address.text, next },
      ...(above === undefined || nextAbove === null
        ? []
        : [{ address: above.address.text, next: nextAbove }]),
    ];
    const heads = await variantHeads(this.context, root, { node, releases, variants });
    return {
      status: 200,
      body: releaseView(node.address, next, { pinnedBelow: pinnedBelow(root.tree, node) }),
      changes: {
        ...NO_CHANGES,
        releases,
        snapshots: heads.map(({ head }) => head),
        history: this.#history(change, { next, above: nextAbove, pin }),
      },
      apply: () => {
        Object.assign(node, { release: next, pinned });
        if (above !== undefined && nextAbove !== null) above.release = nextAbove;
        takeHeads(root, heads, this.publication);
        root.tree.noteRelease(node);
        wakeFor(this.context, node);
      },
    };
  }

  /** A line of the address, and one of the ancestor where that has another release version for it. */
  #history(
    { node, ancestor, action, request, context }: Change,
    { next, above, pin }: Pick<PinTransition, 'next' | 'above' | 'pin'>,
  ): HistoryEntry[] {
    const { reason, freezeException } = request;
    const exception = freezeException === undefined ? [] : [`freeze exception: ${freezeException}`];
    const why = [...(reason === undefined ? [] : [reason]), ...exception].join('; ');
    const line = {
      ...({ at: this.#now(), author: context.actor, kind: 'release', action } as const),
      ...(why === '' ? {} : { reason: why }),
    };
    const kept = pin ?? node.release.pins.find((one) => one.ancestor === ancestor.text);
    const version = kept?.version ?? 0;
    const until = pin === null ? '' : ` until ${pin.until}`;
    return [
      {
        ...{ ...line, address: node.address.text, releaseVersion: next.releaseVersion },
        message: `${ancestor.text} at version ${version}${until}`,
      },
      ...(above === null
        ? []
        : [
            {
              ...{ ...line, address: ancestor.text, version },
              releaseVersion: above.releaseVersion,
              message: `for ${node.address.text}${until}`,
            },
          ]),
    ];
  }

  #now(): string {
    return this.context.formatTime(this.context.clock.wallMs());
  }
}

function notAbove(address: Address, { ancestor }: ReleaseRequest): Outcome<never> {
  const detail =
    `${ancestor} does not lie above ${address.text}: name an address on the way from the root, ` +
    'of the same document';
  return refused('malformed-request', detail);
}

function nothingToKeep({ text }: Address): Outcome<never> {
  return refused('not-found', `there is no definition at ${text}: there is no version to stay at`);
}

function nothingKept({ text }: Address): Outcome<never> {
  return refused('not-found', `there is no definition of ${text}, so nothing is pinned there`);
}

function noDefinition({ text }: Address): Outcome<never> {
  const detail = `there is no definition at ${text}: put {} there first, it changes nothing that is read`;
  return refused('not-found', detail);
}
