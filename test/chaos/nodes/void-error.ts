/** A harm was not done, or nobody was there to see it: the case proves nothing, and its fault comes again. */
export class VoidError extends Error {
  override readonly name = 'VoidError';
}
