import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Makes PATH hold nothing but the given shell scripts, by name. The scripts must name other programs absolutely.
 * @returns puts PATH back and deletes the scripts
 */
export function fakePath(scripts: Readonly<Record<string, string>>): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'fake-path-'));
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  const before = process.env.PATH;
  process.env.PATH = folder;
  return () => {
    process.env.PATH = before;
    rmSync(folder, { recursive: true, force: true });
  };
}
