import { readFileSync, writeFileSync } from 'node:fs';
import { inProject } from './paths.js';
import { withGenerated } from './readme.js';

// `npm run docs`: writes the README's generated tables anew.
const path = inProject('README.md');
writeFileSync(path, await withGenerated(readFileSync(path, 'utf8')));
