const MAX_LENGTH = 1_024;

/**
 * Where in the document an error says that something is wrong: its `pointer`, or its `instancePath` as
 * ajv has it, if that is a JSON Pointer. Never throws.
 */
export function pointerIn(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined;
  try {
    const { pointer, instancePath } = thrown as Record<string, unknown>;
    return [pointer, instancePath].find(isPointer);
  } catch {
    return undefined;
  }
}

function isPointer(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith('/') && value.length <= MAX_LENGTH;
}
