import { readFileSync, writeFileSync } from 'node:fs';
import { inProject } from './paths.js';
import { GENERATED_PAGES, withGenerated } from './readme.js';

// `npm run docs`: writes the generated tables anew.
for (const [name, page] of Object.entries(GENERATED_PAGES)) {
  const path = inProject(page);
  writeFileSync(path, await withGenerated(readFileSync(path, 'utf8'), name));
}
