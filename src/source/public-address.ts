import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { BridgeError } from '../base/errors.js';

/**
 * Whether an address belongs to the public internet. Everything else (this machine, the private and link-local
 * networks with the cloud's metadata service, multicast, and the forms that carry another address within) does not.
 * @param address a literal IPv4 or IPv6 address, without brackets
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  // `process` unwraps an IPv4 address that was dressed as IPv6.
  return ipaddr.process(address).range() === 'unicast';
}

/**
 * A name look-up for sockets that yields public addresses only. It is the look-up whose answer the socket connects to,
 * so a name that answers otherwise the second time (DNS rebinding) gains nothing.
 * @param lookup the look-up underneath; the system's by default
 */
export function publicLookup(lookup: LookupFunction = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, found, family) => {
      if (error) return callback(error, found, family);
      const addresses: LookupAddress[] =
        typeof found === 'string' ? [{ address: found, family: family ?? isIP(found) }] : found;
      const open = addresses.filter(({ address }) => isPublicAddress(address));
      if (open.length === 0) return callback(denied(hostname), '', 0);
      if (options.all === true) callback(null, open);
      else callback(null, open[0]!.address, open[0]!.family);
    });
  };
}

/**
 * Refuses a host that is written as an address and is not public: no look-up is made for those.
 * @param host as it stands in a URL, with brackets around IPv6
 * @throws BridgeError SOURCE_DENIED
 */
export function requirePublicHost(host: string): void {
  const bare = host.replace(/^\[|\]$/g, '');
  if (isIP(bare) !== 0 && !isPublicAddress(bare)) throw denied(host);
}

function denied(host: string): BridgeError {
  return new BridgeError(
    'SOURCE_DENIED',
    `${host} is an address inside this machine or its private network.`,
  );
}
