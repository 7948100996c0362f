import { address } from '@pawl/contracts';
import type { AddressText } from '@pawl/contracts';
import type { Who } from './cohort-rules.js';

/** That writers of worlds with releases in stages write: four on one way, one beside, two of another root. */
export const STAGED_ADDRESSES: readonly AddressText[] = [
  'acme',
  'acme/prod',
  'acme/prod/shop',
  'acme/prod/shop/eu',
  'beta',
  'beta/x',
].map((text) => address(text).text);

interface Place {
  readonly at: AddressText;
  readonly workload: string;
}

const place = (text: string, workload: string): Place => ({ at: address(text).text, workload });

/** Where consumers are. Nobody writes `acme/prod/cart`: it is there because a consumer opens it. */
export const STAGED_CONSUMERS: readonly Place[] = [
  place('acme', 'shop'),
  place('acme/prod', 'shop'),
  place('acme/prod', 'cart'),
  place('acme/prod/cart', 'cart'),
  place('acme/prod/shop', 'shop'),
  place('acme/prod/shop', 'cart'),
  place('acme/prod/shop/eu', 'shop'),
  place('acme/prod/shop/eu', 'shop'),
  place('acme/prod/shop/eu', 'cart'),
  place('beta/x', 'shop'),
  place('beta/x', 'shop'),
  place('beta/x', 'shop'),
];

/** As short as a pin may be: owners' clocks are set ahead by as much, so that worlds see the end. */
export const SHORTEST_PIN_MS = 60_000;

/** Consumers are of so many tempers: a document is trouble for those of one. */
export const TEMPERS = 4;
export const WORKLOADS = ['shop', 'cart'] as const;
export const REGIONS = ['eu', 'us'] as const;

const SLOTS = STAGED_CONSUMERS.length;

/** Everybody that there could be. */
export const EVERYBODY: readonly Who[] = WORKLOADS.flatMap((workload) =>
  Array.from({ length: SLOTS }, (_, slot) => slot).flatMap((slot) =>
    REGIONS.map((region) => ({ workload, slot, labels: { region } })),
  ),
);
