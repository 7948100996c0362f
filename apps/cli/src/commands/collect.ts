/** Of an option that may be repeated: all that was said, in order. */
export function collect(one: string, former: readonly string[] = []): readonly string[] {
  return [...former, one];
}
