/*
 * What the keeper and its workers tell each other. Small on purpose: the keeper must never need an upgrade, so an old
 * keeper has to get along with a newer worker. Whatever a worker wants its successor to know stands in the ledger.
 */

/** From the keeper to a worker. */
export type ToWorker =
  /** A connection, with its socket beside the message. What is known of it stands in the ledger under its slot. */
  | { readonly type: 'connection'; readonly slot: number }
  /** Another worker has taken over: pass every connection on as soon as it is idle, then end. */
  | { readonly type: 'retire' }
  /** The service ends. */
  | { readonly type: 'stop' }
  /** What the worker before has to say, word for word. */
  | { readonly type: 'relay'; readonly data: unknown };

/** From a worker to the keeper. */
export type ToKeeper =
  /** It can take connections. */
  | { readonly type: 'ready' }
  /** The connection is closed, or nobody need hold it: the keeper closes its own copy. */
  | { readonly type: 'release'; readonly slot: number }
  /** The next worker may have it. */
  | { readonly type: 'pass'; readonly slot: number }
  /** Asks for a planned restart. */
  | { readonly type: 'restart' }
  /** Something for the worker that has taken over, word for word. */
  | { readonly type: 'relay'; readonly data: unknown };

/** The environment name by which a worker knows that a keeper holds its port; the value is a `KeeperInvitation`. */
export const KEEPER_ENV = 'MMDAGENT_BRIDGE_KEEPER';

/** What a worker is started with. */
export interface KeeperInvitation {
  /** Where the keeper listens. */
  readonly host: string;
  readonly port: number;
  /** The file descriptor of the ledger. */
  readonly ledgerFd: number;
}
