import { seededRng } from '@pawl/kernel';
import type { ByteKey, Interval } from '../state/index.js';

/** Comes after every key. */
const BEYOND = '\u0100';

interface Node<T> {
  readonly from: string;
  readonly until: string;
  readonly members: Set<T>;
  /** Higher than those of the nodes below it. */
  readonly priority: number;
  /** Nodes whose range begins earlier, or equally and ends earlier. */
  left: Node<T> | null;
  right: Node<T> | null;
  /** The latest `until` of this node and those below it. */
  reach: string;
}

/**
 * Ranges of keys with members, found by a key that they hold: single keys in a map, others in an
 * interval tree (a treap by where ranges begin, with how far they reach). Finding takes logarithmic
 * time and what it finds, whatever else there is. Equal ranges share one set of members.
 */
export class RangeIndex<T> {
  readonly #singles = new Map<ByteKey, Set<T>>();
  readonly #rng = seededRng(1);
  #root: Node<T> | null = null;
  #size = 0;

  /** Members of all ranges. */
  get size(): number {
    return this.#size;
  }

  /** A member that this range does not have yet. */
  add(interval: Interval, member: T): void {
    this.#size += 1;
    if (isSingle(interval)) {
      const members = this.#singles.get(interval.from);
      if (members === undefined) this.#singles.set(interval.from, new Set([member]));
      else members.add(member);
      return;
    }
    const [from, until] = bounds(interval);
    const node = find(this.#root, from, until);
    if (node !== null) {
      node.members.add(member);
      return;
    }
    this.#root = insert(this.#root, {
      from,
      until,
      members: new Set([member]),
      priority: this.#rng.next(),
      left: null,
      right: null,
      reach: until,
    });
  }

  /** A member that this range has. */
  remove(interval: Interval, member: T): void {
    this.#size -= 1;
    if (isSingle(interval)) {
      const members = this.#singles.get(interval.from);
      members?.delete(member);
      if (members?.size === 0) this.#singles.delete(interval.from);
      return;
    }
    const [from, until] = bounds(interval);
    const members = find(this.#root, from, until)?.members;
    members?.delete(member);
    if (members?.size === 0) this.#root = remove(this.#root, from, until);
  }

  /** Calls `found` with the members of each range that holds a key. */
  visit(key: ByteKey, found: (members: ReadonlySet<T>) => void): void {
    const members = this.#singles.get(key);
    if (members !== undefined) found(members);
    visit(this.#root, key, found);
  }

  clear(): void {
    this.#singles.clear();
    this.#root = null;
    this.#size = 0;
  }
}

function isSingle({ from, until }: Interval): boolean {
  return until?.length === from.length + 1 && until === `${from}\0`;
}

function bounds({ from, until }: Interval): [from: string, until: string] {
  return [from, until ?? BEYOND];
}

/** Negative, zero or positive, as `a` comes before, is, or comes after the range. */
function order(a: { from: string; until: string }, from: string, until: string): number {
  if (a.from !== from) return a.from < from ? -1 : 1;
  if (a.until !== until) return a.until < until ? -1 : 1;
  return 0;
}

function visit<T>(
  node: Node<T> | null,
  key: ByteKey,
  found: (members: ReadonlySet<T>) => void,
): void {
  if (node === null || node.reach <= key) return;
  visit(node.left, key, found);
  if (node.from > key) return;
  if (node.until > key) found(node.members);
  visit(node.right, key, found);
}

function find<T>(root: Node<T> | null, from: string, until: string): Node<T> | null {
  let node = root;
  while (node !== null) {
    const sign = order(node, from, until);
    if (sign === 0) return node;
    node = sign > 0 ? node.left : node.right;
  }
  return null;
}

/** To be called when what is below a node changed. */
function refresh<T>(node: Node<T>): Node<T> {
  let reach = node.until;
  if (node.left !== null && node.left.reach > reach) reach = node.left.reach;
  if (node.right !== null && node.right.reach > reach) reach = node.right.reach;
  node.reach = reach;
  return node;
}

function insert<T>(root: Node<T> | null, node: Node<T>): Node<T> {
  if (root === null) return node;
  if (node.priority > root.priority) {
    [node.left, node.right] = split(root, node);
    return refresh(node);
  }
  if (order(root, node.from, node.until) > 0) root.left = insert(root.left, node);
  else root.right = insert(root.right, node);
  return refresh(root);
}

/** What comes before, and what after a range that is not there. */
function split<T>(
  root: Node<T> | null,
  at: { from: string; until: string },
): [Node<T> | null, Node<T> | null] {
  if (root === null) return [null, null];
  if (order(root, at.from, at.until) < 0) {
    const [before, after] = split(root.right, at);
    root.right = before;
    return [refresh(root), after];
  }
  const [before, after] = split(root.left, at);
  root.left = after;
  return [before, refresh(root)];
}

function remove<T>(root: Node<T> | null, from: string, until: string): Node<T> | null {
  if (root === null) return null;
  const sign = order(root, from, until);
  if (sign === 0) return merge(root.left, root.right);
  if (sign > 0) root.left = remove(root.left, from, until);
  else root.right = remove(root.right, from, until);
  return refresh(root);
}

/** Joins two trees, all of `before` coming before all of `after`. */
function merge<T>(before: Node<T> | null, after: Node<T> | null): Node<T> | null {
  if (before === null) return after;
  if (after === null) return before;
  if (before.priority > after.priority) {
    before.right = merge(before.right, after);
    return refresh(before);
  }
  after.left = merge(before, after.left);
  return refresh(after);
}
