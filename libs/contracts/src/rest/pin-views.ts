import type { Infer } from '../messages/infer.js';
import * as part from '../messages/parts.js';

/** That an address and those below it stay at a version of an address above. */
export const pinViewSchema = {
  type: 'object',
  required: ['ancestor', 'version', 'until', 'by', 'at', 'reason'],
  properties: {
    ancestor: part.address,
    /** Definition version of the ancestor. */
    version: part.version,
    /** When it ends by itself, by the clock of the address's owner. */
    until: part.timestamp,
    /** Who asked for it last, when, and why. */
    by: { type: 'string' },
    at: part.timestamp,
    reason: { type: 'string' },
    /** Why it has not ended although its time has passed. */
    overdue: { type: 'string' },
  },
} as const;
export type PinView = Infer<typeof pinViewSchema>;

/** The pin that a layer has at an address. */
export const layerPinSchema = {
  ...pinViewSchema,
  required: [...pinViewSchema.required, 'pinnedAt'],
  properties: {
    ...pinViewSchema.properties,
    /** Where it was made: the address itself, or one between it and the ancestor. */
    pinnedAt: part.address,
  },
} as const;
export type LayerPin = Infer<typeof layerPinSchema>;

/** How many addresses below stay at a version of one, and the first hundred of them by name. */
export const pinnedBelowSchema = {
  type: 'object',
  required: ['count', 'addresses'],
  properties: {
    count: part.counter,
    addresses: {
      type: 'array',
      items: {
        type: 'object',
        required: ['address', 'version', 'until'],
        properties: {
          address: part.address,
          version: part.version,
          until: part.timestamp,
          /** As of {@link pinViewSchema}; told where the layer is looked at, not by what is done to it. */
          overdue: { type: 'string' },
        },
      },
    },
  },
} as const;
export type PinnedBelow = Infer<typeof pinnedBelowSchema>;
