import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import { BridgeError } from '../base/errors.js';
import { readToken } from '../base/token.js';
import type { AboutJson } from '../service/routes/root.js';
import { ServiceClient, type ClientSettings } from './client.js';
import { readClientTls } from './client-tls.js';
import { Interrupted } from './exit-codes.js';
import type { OptionValues } from '../config.js';
import { readOptions, readOverrides, type ClientOptions, type Env } from './flags.js';
import type { Terminal } from './terminal.js';

/** Environment of a command; tests make their own. */
export interface CliContext {
  readonly terminal: Terminal;
  readonly stdin: Readable;
  readonly env: Env;
  /** Subscribes to Ctrl-C; the returned function unsubscribes. */
  onInterrupt(listener: () => void): () => void;
  /** Subscribes to the loss of the output's reader; the returned function unsubscribes. */
  onOutputGone(listener: () => void): () => void;
}

/** Adds one command to the program; its action passes the exit status to `run`. */
export type AddCommand = (program: Command, run: Runner) => void;

/** Runs the body of a command and stores its exit status. */
export type Runner = (
  command: Command,
  body: (context: CliContext) => Promise<number>,
  options?: { json?: boolean },
) => Promise<void>;

/** Abort signal of a command: Ctrl-C, its `--timeout-ms`, or a reason of its own. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Stops the timer. */
  clear(): void;
}

/**
 * Returns a signal that is aborted after `--timeout-ms`.
 * @param timeoutMs 0 means never
 * @param what name of the command
 */
export function deadline(timeoutMs: number, what: string): Deadline {
  const controller = new AbortController();
  const timer =
    timeoutMs > 0
      ? setTimeout(
          () => controller.abort(new BridgeError('TIMEOUT', `${what} took longer than ${timeoutMs} ms.`)),
          timeoutMs,
        )
      : undefined;
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}

/** Client of the service named by the command's options, with a way to end all waits. */
export interface ClientSession {
  readonly client: ServiceClient;
  readonly options: ClientOptions;
  readonly signal: AbortSignal;
  /** Ends every wait at once. */
  abort(reason: Error): void;
  close(): void;
}

/** Options with the service's address and connection settings. */
export const SERVICE_ADDRESS = ['url', 'host', 'port', 'token', 'tokenFile', 'tls', 'tlsCa'] as const;

/**
 * Reads the address and the connection settings of the service.
 * @throws BridgeError OPTION_INVALID, TLS_INVALID, FILE_NOT_FOUND or FILE_UNREADABLE
 */
export function readService(command: Command, env: Env): Omit<ClientSettings, 'signal'> {
  const options = readOptions(command, SERVICE_ADDRESS, env);
  const at = addressOf(command, options);
  return { ...at, token: readToken(options), tls: readClientTls({ ...options, tls: at.tls }) };
}

/** Returns the address of `--url`, unless `--host` or `--port` on the command line override the environment. */
function addressOf(
  command: Command,
  { url, host, port, tls }: Pick<OptionValues, 'url' | 'host' | 'port' | 'tls'>,
): { host: string; port: number; tls: boolean } {
  const given = readOverrides(command, ['url', 'host', 'port']);
  const named = given.host !== undefined || given.port !== undefined;
  if (url === undefined || (named && given.url === undefined)) return { host, port, tls };
  const { protocol, hostname, port: text } = new URL(url);
  const secure = protocol === 'https:' || protocol === 'wss:';
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: text === '' ? (secure ? 443 : 80) : Number(text),
    tls: tls || secure,
  };
}

/**
 * Reads the connection settings and makes a client.
 * @throws as `readService`
 */
export function openClient(command: Command, env: Env): ClientSession {
  const options = readOptions(command, ['host', 'port', 'timeoutMs'], env);
  const service = readService(command, env);
  const { signal: timeout, clear } = deadline(options.timeoutMs, command.name());
  const controller = new AbortController();
  const signal = AbortSignal.any([timeout, controller.signal]);
  return {
    client: new ServiceClient({ ...service, signal }),
    options,
    signal,
    abort: (reason) => controller.abort(reason),
    close: clear,
  };
}

/**
 * Runs the body of a command once the service has answered. Ctrl-C ends every wait.
 * @param body gets the client and the service's description
 * @throws Interrupted; BridgeError as `readService` and `ServiceClient.check`, TIMEOUT
 */
export async function withService<Result>(
  command: Command,
  { env, onInterrupt }: Pick<CliContext, 'env' | 'onInterrupt'>,
  body: (session: ClientSession, about: AboutJson) => Promise<Result>,
): Promise<Result> {
  const session = openClient(command, env);
  const off = onInterrupt(() => session.abort(new Interrupted()));
  try {
    return await body(session, await session.client.check());
  } finally {
    off();
    session.close();
  }
}
