/** A text as PostgreSQL can hold it: U+0000 and halves of surrogate pairs are replaced by U+FFFD. */
export function storableText(text: string): string {
  return text.replace(/\0|\p{Surrogate}/gu, '\uFFFD');
}
