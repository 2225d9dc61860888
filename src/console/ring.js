/**
 * Ring buffer: when it is full, a new item replaces the oldest.
 * @template T
 */
export class Ring {
  /** @type {T[]} */
  #items = [];
  #start = 0;
  #capacity;

  /** @param {number} capacity */
  constructor(capacity) {
    this.#capacity = capacity;
  }

  get length() {
    return this.#items.length;
  }

  /** @param {T} item */
  push(item) {
    if (this.#items.length < this.#capacity) this.#items.push(item);
    else {
      this.#items[this.#start] = item;
      this.#start = (this.#start + 1) % this.#capacity;
    }
  }

  /**
   * @param {number} index 0 is the oldest
   * @returns {T | undefined}
   */
  at(index) {
    return this.#items[(this.#start + index) % this.#items.length];
  }

  clear() {
    this.#items = [];
    this.#start = 0;
  }

  /** Iterates from the oldest to the newest. */
  *[Symbol.iterator]() {
    for (let i = 0; i < this.#items.length; i++) yield /** @type {T} */ (this.at(i));
  }
}
