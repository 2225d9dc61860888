import type { Bridge, BridgeOptions } from './bridge.js';
import type { BridgeConfig } from './narration/config-file.js';
import type { Cue } from './speech/cues.js';
import type { Service, ServiceOptions } from './service/service.js';

/*
 * Functions of the library whose code is loaded when they are first called: who imports the package does not wait for
 * servers, decoders and engines that may never be used.
 */

/**
 * Starts a bridge and listens.
 * @throws BridgeError OPTION_INVALID, TLS_INVALID, FILE_NOT_FOUND, PORT_IN_USE, HOST_INVALID or LISTEN_DENIED
 */
export async function createBridge(options: BridgeOptions = {}): Promise<Bridge> {
  const bridge = await import('./bridge.js');
  return bridge.createBridge(options);
}

/**
 * Serves the HTTP and WebSocket API, the metrics and the console of a bridge on the bridge's own port.
 * @throws BridgeError HOST_EXPOSED when other machines could reach it and it has no token; OPTION_INVALID or
 * FILE_NOT_FOUND about the token's file
 */
export async function attachService(bridge: Bridge, options: ServiceOptions = {}): Promise<Service> {
  const service = await import('./service/service.js');
  return service.attachService(bridge, options);
}

/**
 * Reads a configuration: engine, voice, tags and the service's options. Holds no secret: keys and tokens are named by
 * where they are found.
 * @param path a YAML file, such as `bridge.yaml`
 * @throws BridgeError FILE_NOT_FOUND, FILE_UNREADABLE, or CONFIG_INVALID that names the file, the line and the key
 */
export async function loadBridgeConfig(path: string): Promise<BridgeConfig> {
  const config = await import('./narration/config-file.js');
  return config.loadBridgeConfig(path);
}

/** An engine that turns text into sound. */
export interface EngineInfo {
  /** Value of the option `engine`. */
  readonly name: string;
  /** A few words about it. */
  readonly summary: string;
}

/** Lists every engine that can be named. */
export async function listEngines(): Promise<EngineInfo[]> {
  const { ENGINES } = await import('./tts/engines.js');
  return ENGINES.map(({ name, summary }) => ({ name, summary }));
}

/**
 * The cues of a file beside a sound: JSON, `[{"atMs":1200,"send":"MOTION_ADD|0|nod|nod.vmd"}]`, or WebVTT, where each
 * line of a cue's text is a command, sent at the cue's start.
 * @param text the whole file
 * @param name how messages name it
 * @throws BridgeError CUES_INVALID that names the place
 */
export async function parseCueFile(text: string, name: string): Promise<Cue[]> {
  const cueFile = await import('./speech/cue-file.js');
  return cueFile.parseCueFile(text, name);
}
