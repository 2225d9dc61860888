import { Ledger } from '../../../src/keeper/ledger.js';

const line = new Ledger(4).writer(2);
line.facts({ name: 'default' });
line.stage('answering');
line.stage('open');
line.frameBegins(640);
line.done();
line.frameBegins(320);
process.send?.('written');
setInterval(() => undefined, 1000);
