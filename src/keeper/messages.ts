/*
 * Messages between the keeper and its workers. Deliberately few: the keeper must never need an upgrade, so an old keeper
 * has to work with a newer worker. Data of a worker for its successor is in the shared state.
 */

import type { EntranceAddress } from './entrance.js';

/** From the keeper to a worker. */
export type ToWorker =
  /** Answer to `listen`: the keeper's address, which may have been open before. */
  | { readonly type: 'listening'; readonly host: string; readonly port: number }
  /** Answer to `listen`: the error, as Node reports it. */
  | { readonly type: 'not-listening'; readonly code: string; readonly message: string }
  /** A connection, whose socket comes with the message. Its known state is in its slot of the shared state. */
  | {
      readonly type: 'connection';
      readonly slot: number;
      /** Key of its entrance; absent for the port of `listen`. */
      readonly entrance?: string | undefined;
    }
  /** Answer to `entrance`: it is open, and may have been open before. */
  | { readonly type: 'entrance-open'; readonly key: string; readonly address: EntranceAddress }
  /** Answer to `entrance`: the error, as Node reports it. */
  | {
      readonly type: 'entrance-closed';
      readonly key: string;
      readonly code: string;
      readonly message: string;
    }
  /** Another worker takes over: inform it, send `yield`, pass every connection on once it is idle, then end. */
  | { readonly type: 'retire' }
  /** Another worker starts and takes its share of the machine, or none starts any more. */
  | { readonly type: 'crowded'; readonly now: boolean }
  /** The service ends. */
  | { readonly type: 'stop' }
  /** Data of the previous worker, or for a retiring worker, of the next one; unchanged. */
  | { readonly type: 'relay'; readonly data: unknown };

/** From a worker to the keeper. */
export type ToKeeper =
  /** A further address for connections. An entrance that the active worker has not asked for is closed. */
  | { readonly type: 'entrance'; readonly key: string; readonly address: EntranceAddress }
  /** Address for a keeper that does not listen yet, and options of this worker that the keeper needs. */
  | ({ readonly type: 'listen'; readonly host: string; readonly port: number } & KeeperWishes)
  /** The worker can take connections. */
  | { readonly type: 'ready' }
  /** The connection is closed or needs no copy: the keeper closes its own. */
  | { readonly type: 'release'; readonly slot: number }
  /** A connection was announced, but its socket did not come with the message. */
  | { readonly type: 'missing'; readonly slot: number }
  /** Answer to `retire`: the next worker is informed, and may get new connections. */
  | { readonly type: 'yield' }
  /** Give the connection to the next worker. */
  | { readonly type: 'pass'; readonly slot: number }
  /** The worker serves by itself, without held copies; it needs only `stop` from the keeper. */
  | { readonly type: 'alone' }
  /** Request for a planned restart. */
  | { readonly type: 'restart' }
  /** Data for the worker that has taken over, or from it for retiring workers; unchanged. */
  | { readonly type: 'relay'; readonly data: unknown };

/** Options of a worker that concern the keeper, which reads no options itself. */
export interface KeeperWishes {
  /** Keeps a second worker ready that takes over at once when the first one ends. */
  readonly standby: boolean;
  /** Format of the keeper's own log lines. */
  readonly log: KeeperLog;
}

/** Log format (JSON or text for people) and lowest level. */
export interface KeeperLog {
  readonly json: boolean;
  readonly level: string;
}

/** Environment variable that tells a worker about its keeper; its value is a `KeeperInvitation`. */
export const KEEPER_ENV = 'MMDAGENT_BRIDGE_KEEPER';

/** Data that a worker gets at its start. */
export interface KeeperInvitation {
  /** File descriptor of the shared state. */
  readonly sharedStateFd: number;
  /** Number of this worker, from 1. */
  readonly number: number;
}
