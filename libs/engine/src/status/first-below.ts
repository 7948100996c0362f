/**
 * Numbers by place, and the first place whose number is below a limit: both in the logarithm of how many
 * places there are. Places that were never set hold -Infinity.
 */
export class FirstBelow {
  /** A tree in an array: each place holds the smaller of 2n and 2n + 1; the numbers begin at its half. */
  #lowest = new Float64Array(2).fill(-Infinity);

  set(place: number, value: number): void {
    while (place >= this.#places) this.#double();
    const lowest = this.#lowest;
    let index = this.#places + place;
    lowest[index] = value;
    while (index > 1) {
      index >>= 1;
      lowest[index] = Math.min(lowest[2 * index] ?? 0, lowest[2 * index + 1] ?? 0);
    }
  }

  /** The first place whose number is below `limit`, of all that there might be. */
  find(limit: number): number {
    const lowest = this.#lowest;
    const places = this.#places;
    if (!((lowest[1] ?? 0) < limit)) return places;
    let index = 1;
    while (index < places) {
      index *= 2;
      if (!((lowest[index] ?? 0) < limit)) index += 1;
    }
    return index - places;
  }

  get #places(): number {
    return this.#lowest.length / 2;
  }

  #double(): void {
    const places = this.#places;
    const lowest = new Float64Array(4 * places).fill(-Infinity);
    lowest.set(this.#lowest.subarray(places), 2 * places);
    for (let index = 2 * places - 1; index > 0; index -= 1) {
      lowest[index] = Math.min(lowest[2 * index] ?? 0, lowest[2 * index + 1] ?? 0);
    }
    this.#lowest = lowest;
  }
}
