import { SharedState } from '../../../src/keeper/shared-state.js';

const line = new SharedState(4).writer(2);
line.facts({ name: 'default' });
line.stage('answering');
line.stage('open');
line.frame(640);
line.frame(320);
process.send?.('written');
setInterval(() => undefined, 1000);
