/** Injection token of the `ConfigEngine`: the use-cases behind every controller. */
export const CONFIG_ENGINE = Symbol('ConfigEngine');
