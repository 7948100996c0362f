/** A text with parts replaced, each of which has to be in it exactly once. */
export function changeOnce(
  text: string,
  changes: readonly (readonly [before: string, after: string])[],
): string {
  return changes.reduce((changed, [before, after]) => {
    if (changed.split(before).length !== 2) throw new Error(`not once in a commit: ${before}`);
    return changed.replace(before, () => after);
  }, text);
}
