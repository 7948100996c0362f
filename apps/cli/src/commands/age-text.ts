/** How old it is, if its owner could not confirm it; else nothing. */
export function ageText({ asOf }: { readonly asOf?: string }, end = ''): string {
  return asOf === undefined ? '' : `as of ${asOf}, its owner has not confirmed it since${end}`;
}
