/** Keyword of ours in closed schemas: units of work of one visit, see `Meter`. */
export const METER = 'pawl:visit';
/** Keyword of ours in closed schemas: each visit also looks at every key of the object. */
export const METER_KEYS = 'pawl:keys';
/**
 * Keyword of ours beside `unevaluatedItems` in closed schemas: schemas in pairs. Where the first of a
 * pair holds of the array, some `contains` has evaluated the items that the second holds of.
 */
export const CONTAINED = 'pawl:contained';
