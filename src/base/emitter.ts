/** Listening side of an emitter: offered by a bridge, an agent and a speech. */
export interface Listenable<Events extends object> {
  /**
   * Calls `listener` at every event of that name.
   * @returns a function that ends the subscription
   */
  on<Name extends keyof Events>(event: Name, listener: (payload: Events[Name]) => void): () => void;
  /**
   * Calls `listener` at the next event of that name only.
   * @returns a function that ends the subscription
   */
  once<Name extends keyof Events>(event: Name, listener: (payload: Events[Name]) => void): () => void;
  /** Ends a subscription made with `on` or `once`; does nothing when there is none. */
  off<Name extends keyof Events>(event: Name, listener: (payload: Events[Name]) => void): void;
}

/**
 * Typed events. A listener that throws is reported and the others still run: an exception in a user's
 * listener must never end an avatar's connection.
 * @typeParam Events the event names with the payload of each
 */
export class Emitter<Events extends object> implements Listenable<Events> {
  /** Listeners by event; the value is true for a listener added with `once`. */
  readonly #listeners = new Map<keyof Events, Map<(payload: never) => void, boolean>>();
  readonly #onListenerError: (error: unknown, event: keyof Events) => void;

  /**
   * @param onListenerError called with the error of a listener; by default it becomes an uncaught exception
   */
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

  /** Calls every listener, in the order of subscription. */
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

  /** Returns the number of listeners of an event, so that a sender can skip work nobody uses. */
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
