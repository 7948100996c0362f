export type Json = Readonly<Record<string, unknown>>;

/** The JSON object that a text is; `undefined` for anything else. */
export function readJsonObject(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}
