/*
 * What the keeper and its workers tell each other. Small on purpose: the keeper must never need an upgrade, so an old
 * keeper has to get along with a newer worker. Whatever a worker wants its successor to know stands in the shared state.
 */

import type { EntranceAddress } from './entrance.js';

/** From the keeper to a worker. */
export type ToWorker =
  /** The answer to `listen`: where the keeper listens, perhaps since long before. */
  | { readonly type: 'listening'; readonly host: string; readonly port: number }
  /** …or why it cannot, as Node has it. */
  | { readonly type: 'not-listening'; readonly code: string; readonly message: string }
  /** A connection, with its socket beside the message. What is known of it stands in the shared state under its slot. */
  | {
      readonly type: 'connection';
      readonly slot: number;
      /** The key of the entrance by which it came; absent for the port of `listen`. */
      readonly entrance?: string | undefined;
    }
  /** The answer to `entrance`: it is open, perhaps since long before. */
  | { readonly type: 'entrance-open'; readonly key: string; readonly address: EntranceAddress }
  /** …or why it cannot be, as Node has it. */
  | {
      readonly type: 'entrance-closed';
      readonly key: string;
      readonly code: string;
      readonly message: string;
    }
  /** Another worker takes over: tell it what it must know, `yield`, pass every connection on once it is idle, then end. */
  | { readonly type: 'retire' }
  /** Another worker is being started, which takes its share of the machine; or none is any more. */
  | { readonly type: 'crowded'; readonly now: boolean }
  /** The service ends. */
  | { readonly type: 'stop' }
  /** What the worker before has to say, or to one that retires, the one after; word for word. */
  | { readonly type: 'relay'; readonly data: unknown };

/** From a worker to the keeper. */
export type ToKeeper =
  /** A further address by which connections come. One that the active worker has not asked for is closed. */
  | { readonly type: 'entrance'; readonly key: string; readonly address: EntranceAddress }
  /** Where the keeper is to listen if it does not yet, and what it must know of this worker's options. */
  | ({ readonly type: 'listen'; readonly host: string; readonly port: number } & KeeperWishes)
  /** It can take connections. */
  | { readonly type: 'ready' }
  /** The connection is closed, or nobody need hold it: the keeper closes its own copy. */
  | { readonly type: 'release'; readonly slot: number }
  /** A connection was told, and its socket did not come with the message. */
  | { readonly type: 'missing'; readonly slot: number }
  /** The answer to `retire`: the next worker has been told what it must know, and may have new connections. */
  | { readonly type: 'yield' }
  /** The next worker may have it. */
  | { readonly type: 'pass'; readonly slot: number }
  /** It serves by itself, and nothing is to be held: of the keeper it needs the word to stop alone. */
  | { readonly type: 'alone' }
  /** Asks for a planned restart. */
  | { readonly type: 'restart' }
  /** Something for the worker that has taken over, or from that one for those that retire; word for word. */
  | { readonly type: 'relay'; readonly data: unknown };

/** What a worker's options ask of the keeper, which reads none itself. */
export interface KeeperWishes {
  /** Keep a second worker ready that takes over at once when the first one ends. */
  readonly standby: boolean;
  /** How the keeper's own lines look. */
  readonly log: KeeperLog;
}

/** A log's manner: JSON or lines for people, and from which level on. */
export interface KeeperLog {
  readonly json: boolean;
  readonly level: string;
}

/** The environment name by which a worker knows that a keeper holds its port; the value is a `KeeperInvitation`. */
export const KEEPER_ENV = 'MMDAGENT_BRIDGE_KEEPER';

/** What a worker is started with. */
export interface KeeperInvitation {
  /** The file descriptor of the shared state. */
  readonly sharedStateFd: number;
  /** The number of this worker: 1 for the first, then counting up. */
  readonly number: number;
}
