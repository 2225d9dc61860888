import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { BridgeError } from '../base/errors.js';

/**
 * Returns true for an address of the public internet; false for this machine, private and link-local networks
 * (with the cloud's metadata service), multicast, and addresses that embed another address.
 * @param address a literal IPv4 or IPv6 address, without brackets
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  // `process` unwraps an IPv4 address in IPv6 form.
  return ipaddr.process(address).range() === 'unicast';
}

/**
 * Returns a name look-up for sockets that yields public addresses only. The socket connects to the very
 * address that was checked, so a name that changes its answer (DNS rebinding) cannot bypass the check.
 * @param lookup underlying look-up; default: the system's
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
 * Refuses a host that is a literal address and not public: no look-up is made for those.
 * @param host as in a URL, with brackets around IPv6
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
