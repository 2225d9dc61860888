/** The listening side of an emitter: what a bridge, an agent and a speech offer. */
export interface Listenable<Events extends object> {
  /**
   * Calls `listener` at every event of that name.
   * @returns a function that ends the subscription
   */
  on<Name extends keyof Events>(event: Name, listener: (payload: Events[Name]) => void): () => void;
  /**
   * Calls `listener` at the next event of that name, then never again.
   * @returns a function that ends the subscription
   */
  once<Name extends keyof Events>(event: Name, listener: (payload: Events[Name]) => void): () => void;
  /** Ends a subscription of `on` or `once`; one that does not exist is no error. */
  off<Name extends keyof Events>(event: Name, listener: (payload: Events[Name]) => void): void;
}

/**
 * Typed events whose listeners cannot hurt the sender: a listener that throws is reported and the rest still run.
 * An exception in somebody's progress bar must never end an avatar's connection.
 * @typeParam Events the event names with the payload each one carries
 */
export class Emitter<Events extends object> implements Listenable<Events> {
  /** By event, each listener with true when it is told once. */
  readonly #listeners = new Map<keyof Events, Map<(payload: never) => void, boolean>>();
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

  on<Name extends keyof Events>(event: Name, listener: (payload: Events[Name]) => void): () => void {
    return this.#add(event, listener, false);
  }

  once<Name extends keyof Events>(event: Name, listener: (payload: Events[Name]) => void): () => void {
    return this.#add(event, listener, true);
  }

  off<Name extends keyof Events>(event: Name, listener: (payload: Events[Name]) => void): void {
    this.#listeners.get(event)?.delete(listener);
  }

  /** Tells every listener, in the order in which they came. */
  emit<Name extends keyof Events>(event: Name, payload: Events[Name]): void {
    const listeners = this.#listeners.get(event);
    if (!listeners || listeners.size === 0) return;
    for (const [listener, once] of [...listeners]) {
      if (once) listeners.delete(listener);
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

  #add(event: keyof Events, listener: (payload: never) => void, once: boolean): () => void {
    let listeners = this.#listeners.get(event);
    if (!listeners) this.#listeners.set(event, (listeners = new Map<(payload: never) => void, boolean>()));
    listeners.set(listener, once);
    return () => listeners.delete(listener);
  }
}
