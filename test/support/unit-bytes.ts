import type { WireUnit } from '../../src/agent/wire.js';

/** A unit as it stands on the wire. */
export function unitBytes(unit: WireUnit): Buffer {
  const bytes = Buffer.alloc(unit.byteLength);
  unit.writeTo(bytes, 0);
  return bytes;
}
