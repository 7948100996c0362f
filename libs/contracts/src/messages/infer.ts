/**
 * The TypeScript type that a message schema (a constant, `as const`) describes. Covers what the
 * message schemas here use: const, enum, anyOf, objects with required and optional properties, maps,
 * arrays, and scalar types or lists of them.
 */
export type Infer<S> = S extends { readonly const: infer C }
  ? C
  : S extends { readonly enum: readonly (infer E)[] }
    ? E
    : S extends { readonly anyOf: readonly (infer U)[] }
      ? InferEach<U>
      : S extends { readonly type: infer T }
        ? InferType<S, T>
        : unknown;

type InferEach<U> = U extends unknown ? Infer<U> : never;

type InferType<S, T> = T extends readonly (infer Each)[]
  ? Each extends unknown
    ? InferType<S, Each>
    : never
  : T extends 'object'
    ? InferObject<S>
    : T extends 'array'
      ? S extends { readonly items: infer I }
        ? readonly Infer<I>[]
        : readonly unknown[]
      : T extends 'string'
        ? string
        : T extends 'integer' | 'number'
          ? number
          : T extends 'boolean'
            ? boolean
            : T extends 'null'
              ? null
              : never;

type RequiredKeys<S> = S extends { readonly required: readonly (infer R)[] } ? R : never;

type InferObject<S> = S extends { readonly properties: infer P }
  ? { readonly [K in keyof P as K extends RequiredKeys<S> ? K : never]: Infer<P[K]> } & {
      readonly [K in keyof P as K extends RequiredKeys<S> ? never : K]?: Infer<P[K]>;
    }
  : S extends { readonly additionalProperties: infer V }
    ? Readonly<Record<string, V extends object ? Infer<V> : unknown>>
    : Readonly<Record<string, unknown>>;
