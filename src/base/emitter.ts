/**
 * Typed events whose listeners cannot hurt the sender: a listener that throws is reported and the rest still run.
 * An exception in somebody's progress bar must never end an avatar's connection.
 * @typeParam Events the event names with the payload each one carries
 */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(payload: never) => void>>();
  readonly #onListenerError: (error: unknown, event: keyof Events) => void;

  /** @param onListenerError is told what a listener threw; by default it becomes an uncaught exception of its own */
  constructor(onListenerError?: (error: unknown, event: keyof Events) => void) {
    this.#onListenerError =
      onListenerError ??
      ((error) => {
        queueMicrotask(() => {
          throw error;
        });
      });
  }

  /**
   * Calls `listener` at every event of that name.
   * @returns a function that ends the subscription
   */
  on<Name extends keyof Events>(event: Name, listener: (payload: Events[Name]) => void): () => void {
    let set = this.#listeners.get(event);
    if (!set) this.#listeners.set(event, (set = new Set()));
    set.add(listener);
    return () => this.off(event, listener);
  }

  /** Calls `listener` at the next event of that name, then never again. */
  once<Name extends keyof Events>(event: Name, listener: (payload: Events[Name]) => void): () => void {
    const off = this.on(event, (payload) => {
      off();
      listener(payload);
    });
    return off;
  }

  /** Ends a subscription; one that does not exist is no error. */
  off<Name extends keyof Events>(event: Name, listener: (payload: Events[Name]) => void): void {
    this.#listeners.get(event)?.delete(listener);
  }

  /** Tells every listener, in the order in which they came. */
  emit<Name extends keyof Events>(event: Name, payload: Events[Name]): void {
    const set = this.#listeners.get(event);
    if (!set || set.size === 0) return;
    for (const listener of [...set]) {
      try {
        (listener as (payload: Events[Name]) => void)(payload);
      } catch (error) {
        this.#onListenerError(error, event);
      }
    }
  }

  /** How many listen to an event: lets a sender skip work that nobody sees. */
  listenerCount(event: keyof Events): number {
    return this.#listeners.get(event)?.size ?? 0;
  }
}
