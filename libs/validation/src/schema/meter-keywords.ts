/** Keyword of ours in closed schemas: units of work of one visit, see `Meter`. */
export const METER = 'pawl:visit';
/** Keyword of ours in closed schemas: each visit also looks at every key of the object. */
export const METER_KEYS = 'pawl:keys';
