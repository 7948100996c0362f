/** The promises that a run is judged by; DESIGN.md §3 by number where there is one. */
export type PromiseName =
  | 'acknowledged writes stay' // 5
  | 'versions without gap' // 1
  | 'done once'
  | 'linearizable'
  | 'no write under an old token' // 4
  | 'consumers never go back' // 6
  | 'one truth' // 3, 7
  | 'converged';

/** A promise that was broken, in words. */
export interface Broken {
  readonly promise: PromiseName;
  readonly text: string;
}
