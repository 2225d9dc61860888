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

/** What a command runs in; tests make their own. */
export interface CliContext {
  readonly terminal: Terminal;
  readonly stdin: Readable;
  readonly env: Env;
  /** Ctrl-C, the first and any later; the returned function ends it. */
  onInterrupt(listener: () => void): () => void;
  /** Whoever read the output has gone; the returned function ends it. */
  onOutputGone(listener: () => void): () => void;
}

/** Adds one command to the program; its action leaves the exit status in `exit`. */
export type AddCommand = (program: Command, run: Runner) => void;

/** Runs the body of a command and takes its exit status. */
export type Runner = (
  command: Command,
  body: (context: CliContext) => Promise<number>,
  options?: { json?: boolean },
) => Promise<void>;

/** A command's end: Ctrl-C, its `--timeout-ms`, or a reason of its own. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Stops the timer. */
  clear(): void;
}

/**
 * A signal that is aborted after `--timeout-ms`.
 * @param timeoutMs 0 is never
 * @param what the command's name
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

/** The service that the command's options name, and a way to end all waits for it. */
export interface ClientSession {
  readonly client: ServiceClient;
  readonly options: ClientOptions;
  readonly signal: AbortSignal;
  /** Ends every wait at once. */
  abort(reason: Error): void;
  close(): void;
}

/** The options that say where the service is and how it is spoken to. */
export const SERVICE_ADDRESS = ['url', 'host', 'port', 'token', 'tokenFile', 'tls', 'tlsCa'] as const;

/**
 * Where the service is and how it is spoken to.
 * @throws BridgeError OPTION_INVALID, TLS_INVALID, FILE_NOT_FOUND or FILE_UNREADABLE
 */
export function readService(command: Command, env: Env): Omit<ClientSettings, 'signal'> {
  const options = readOptions(command, SERVICE_ADDRESS, env);
  const at = addressOf(command, options);
  return { ...at, token: readToken(options), tls: readClientTls({ ...options, tls: at.tls }) };
}

/** The address of `--url`, unless `--host` or `--port` on the command line say more than the environment does. */
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
 * Reads where the service is and gets ready to talk to it.
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
 * @param body is given the way to the service, and what it says of itself
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
