import type { Bridge } from '../bridge.js';
import type { Service, ServiceOptions } from './service.js';

/**
 * Serves the HTTP and WebSocket API, the metrics and the console of a bridge on the bridge's own port.
 * @throws BridgeError HOST_EXPOSED when other machines could reach it and it has no token; OPTION_INVALID or
 * FILE_NOT_FOUND about the token's file
 */
export async function attachService(bridge: Bridge, options: ServiceOptions = {}): Promise<Service> {
  // Who imports the package for its library alone does not load the HTTP framework.
  const service = await import('./service.js');
  return service.attachService(bridge, options);
}
