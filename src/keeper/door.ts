import { Socket } from 'node:net';
import { Ledger, type SlotState, type SlotWriter } from './ledger.js';
import { KEEPER_ENV, type KeeperInvitation, type ToKeeper, type ToWorker } from './messages.js';

/** One connection that the keeper holds a copy of. */
export interface Lease {
  /** Where its state is written down for a successor. */
  readonly line: SlotWriter;
  /** Says that the connection is closed or nobody need hold it; the keeper closes its copy. Once; more does nothing. */
  release(): void;
  /** Gives it to the worker that has taken over. This process must have closed its own copy. Once, as `release`. */
  pass(): void;
}

/** What comes through the door. */
export interface DoorListener {
  /** A connection nobody has read from yet. */
  fresh(socket: Socket, lease: Lease): void;
  /** A connection that another worker has had, with what it wrote down. */
  held(socket: Socket, lease: Lease, state: SlotState): void;
  /** Another worker has taken over. */
  retire(): void;
  /** The service is to end. */
  stop(): void;
  /** The keeper is gone: the port is free, and nobody holds copies any more. */
  orphaned(): void;
  /** The worker before says something. */
  relayed(data: unknown): void;
}

/** The channel to a parent process, as `process` has it. */
export interface Channel {
  readonly connected: boolean;
  send?(message: unknown, handle: undefined, options: undefined, callback: () => void): boolean;
  on(event: 'message', listener: (message: unknown, handle: unknown) => void): unknown;
  on(event: 'disconnect', listener: () => void): unknown;
  disconnect?(): void;
}

/** A worker's side of the keeper: where its connections come from, in the place of a port of its own. */
export class Door {
  /** Where the keeper listens. */
  readonly address: { readonly host: string; readonly port: number };
  readonly #channel: Channel;
  readonly #ledger: Ledger;
  readonly #leases = new Set<KeptLease>();

  constructor(invitation: KeeperInvitation, channel: Channel = process) {
    this.address = { host: invitation.host, port: invitation.port };
    this.#ledger = new Ledger(invitation.ledgerFd);
    this.#channel = channel;
  }

  /** The door of this process, if a keeper has started it. The programs that it starts itself are told nothing of it. */
  static ofProcess(): Door | undefined {
    const invitation = process.env[KEEPER_ENV];
    if (invitation === undefined || !process.connected) return undefined;
    Reflect.deleteProperty(process.env, KEEPER_ENV);
    return new Door(JSON.parse(invitation) as KeeperInvitation);
  }

  /** True while the keeper is there. */
  get open(): boolean {
    return this.#channel.connected;
  }

  /** Connections that the keeper holds for this process. */
  get leaseCount(): number {
    return this.#leases.size;
  }

  /** Says that this worker can take connections, and takes them. */
  enter(listener: DoorListener): void {
    this.#channel.on('message', (message, handle) => this.#onMessage(message as ToWorker, handle, listener));
    this.#channel.on('disconnect', () => {
      this.#leases.clear();
      listener.orphaned();
    });
    this.#tell({ type: 'ready' });
  }

  /** Asks for a planned restart. */
  restart(): void {
    this.#tell({ type: 'restart' });
  }

  /** Tells the worker that has taken over, once this one retires. */
  relay(data: unknown): void {
    this.#tell({ type: 'relay', data });
  }

  #onMessage(message: ToWorker, handle: unknown, listener: DoorListener): void {
    switch (message.type) {
      case 'connection': {
        // The connection can have ended on its way: then there is no handle, and nothing to hold.
        if (!(handle instanceof Socket)) return this.#tell({ type: 'release', slot: message.slot });
        const lease = new KeptLease(this.#ledger.writer(message.slot), (type) => {
          if (this.#leases.delete(lease)) this.#tell({ type, slot: message.slot });
        });
        this.#leases.add(lease);
        const state = this.#ledger.read(message.slot);
        if (state.stage === 'fresh') listener.fresh(handle, lease);
        else listener.held(handle, lease, state);
        return;
      }
      case 'retire':
        return listener.retire();
      case 'stop':
        return listener.stop();
      case 'relay':
        return listener.relayed(message.data);
    }
  }

  #tell(message: ToKeeper): void {
    if (this.#channel.connected) this.#channel.send?.(message, undefined, undefined, () => undefined);
  }
}

class KeptLease implements Lease {
  readonly line: SlotWriter;
  readonly #end: (how: 'release' | 'pass') => void;

  constructor(line: SlotWriter, end: (how: 'release' | 'pass') => void) {
    this.line = line;
    this.#end = end;
  }

  release(): void {
    this.#end('release');
  }

  pass(): void {
    this.#end('pass');
  }
}
