import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { browser } from './browser.js';
import { conversion } from './conversion.js';
import { cpu } from './cpu.js';
import { cues } from './cues.js';
import { extras } from './extras.js';
import { importing } from './import.js';
import { interruption } from './interruption.js';
import { links } from './links.js';
import { position } from './position.js';
import { decoding } from './decoding.js';
import { firstFrame } from './first-frame.js';
import { keeper } from './keeper.js';
import { lateness } from './lateness.js';
import { memory } from './memory.js';
import { microphone } from './microphone.js';
import { profileInto } from './processes.js';
import { nodes } from './nodes.js';
import { service } from './service.js';
import { text } from './text.js';
import { table, type Bench, type Figures } from './table.js';

/** Every bench, in the order in which they run. A new one is a file and a line here. */
const BENCHES: readonly Bench[] = [
  lateness,
  cpu,
  conversion,
  decoding,
  firstFrame,
  memory,
  microphone,
  browser,
  interruption,
  cues,
  links,
  position,
  text,
  service,
  nodes,
  keeper,
  extras,
  importing,
];

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`npm run bench -- [--only NAME,NAME] [--quick] [--profile FOLDER]
  --only     runs some: ${BENCHES.map(({ name }) => name).join(', ')}
  --quick    shows that each works, several side by side; the figures mean little
  --profile  each process writes a CPU profile into the folder`);
  process.exit();
}
if (values.profile !== undefined) profileInto(values.profile);
const wanted = values.only?.split(',');
for (const name of wanted ?? []) {
  if (BENCHES.some((bench) => bench.name === name)) continue;
  console.error(`There is no bench ${name}. There are: ${BENCHES.map((bench) => bench.name).join(', ')}.`);
  process.exit(1);
}

const { model } = cpus()[0]!;
console.log(`Node ${process.version}, ${cpus().length} x ${model.trim()}, ${process.platform}`);
const benches = BENCHES.filter(({ name }) => wanted?.includes(name) ?? true);
// What is measured must have the machine to itself; what is only tried out mostly waits.
const lanes = new Array<Promise<unknown>>(values.quick ? 3 : 1).fill(Promise.resolve());
const results = benches.map((bench, i): Promise<Figures> => {
  const lane = i % lanes.length;
  const result = lanes[lane]!.then(() => bench.run(values.quick));
  lanes[lane] = result;
  return result;
});
for (const [i, { name, title }] of benches.entries()) {
  console.log(`\n${name}: ${title}  [load ${loadavg()[0]!.toFixed(1)}]`);
  console.log(table(await results[i]!));
}
