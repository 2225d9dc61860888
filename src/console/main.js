import { agentPath, ask } from './api.js';
import { CommandBox } from './command.js';
import { byId, el, setAttribute, setText, withNextFrame } from './dom.js';
import { followColours } from './draw.js';
import { EventFeed } from './events.js';
import { Files } from './files.js';
import { currentLanguage, explain, onLanguage, remembered, setLanguage, t, translatePage } from './i18n.js';
import { Keys } from './keys.js';
import { lineOf } from './lines.js';
import { Log } from './log.js';
import { EVERY_MS, Meters } from './meters.js';
import { currentSpeech, Model, stateWord } from './model.js';
import { Notices } from './notices.js';
import { QueueView } from './queue.js';
import { Stage } from './stage.js';
import { Talk } from './talk.js';

/** Agent used before any agent has connected. */
const DEFAULT_AGENT = 'default';
/** Delay after queue events before the queue's order is requested, in ms. */
const ORDER_AFTER_MS = 150;

const model = new Model();
const notices = new Notices(byId('notices'));
const log = new Log();
const meters = new Meters();

let selected = '';
/** Path of the avatars, as in their content files. */
let directory = '/chat';
/** @type {string | undefined} */
let version;
/** @type {import('./events.js').Link} */
let link = { state: 'connecting' };

const agentName = () => selected || DEFAULT_AGENT;
const agent = () => model.agents.get(selected);
const announce = (/** @type {string} */ text) => setText(byId('announcer'), text);

/**
 * Awaits a request and shows its error.
 * @param {Promise<unknown>} asked
 */
const attempt = (asked) => void asked.catch((error) => notices.failed(error));

const stage = new Stage({
  onVolume: (gainDb) => attempt(ask('PUT', agentPath(agentName(), '/gain'), { json: { gainDb } })),
});
const atOnce = /** @type {HTMLInputElement} */ (byId('at-once'));
const files = new Files({
  agent: agentName,
  atOnce: () => atOnce.checked,
  onChange: () => render(),
  notices,
});
const queue = new QueueView({
  onStop: (speech) => attempt(stopSpeech(speech)),
  onCancel: (upload) => files.cancel(upload),
});
const talk = new Talk({ agent: agentName, notices, announce });
const commandBox = new CommandBox({
  agent: agentName,
  aliases: () => [...new Set([...model.agents.values()].map((view) => view.model))].filter(Boolean),
  onSent: (line, error) => {
    log.add({ at: Date.now(), agent: selected, kind: 'sent', level: error ? 'bad' : 'plain', text: line });
    if (error) notices.failed(error, line);
    else notices.clear('failed');
  },
});

// ---- Buttons ---------------------------------------------------------------------------------------------------------

/** @param {string} speech */
async function stopSpeech(speech) {
  try {
    await ask('DELETE', agentPath(agentName(), `/speeches/${encodeURIComponent(speech)}`));
  } catch (error) {
    // It has ended by itself in the meantime, which is fine.
    if (/** @type {{ code?: string }} */ (error).code !== 'SPEECH_UNKNOWN') throw error;
  }
}

function stopAll() {
  files.cancelWaiting(selected);
  attempt(ask('POST', agentPath(agentName(), '/interrupt')));
}

function skip() {
  const speech = currentSpeech(agent());
  if (speech) attempt(stopSpeech(speech.id));
}

function togglePause() {
  const verb = agent()?.paused ? 'resume' : 'pause';
  attempt(
    ask('POST', agentPath(agentName(), `/${verb}`)).then(({ name, paused }) => {
      const view = model.agents.get(name);
      if (view) view.paused = paused;
      render();
    }),
  );
}

/** Clears the cookie of the token, and leaves the page. */
async function signOut() {
  await ask('POST', '/api/logout');
  location.assign('/login');
}

function bindButtons() {
  byId('sign-out').addEventListener('click', () => attempt(signOut()));
  byId('pause').addEventListener('click', togglePause);
  byId('skip').addEventListener('click', skip);
  byId('stop').addEventListener('click', stopAll);
  atOnce.checked = remembered('at-once') === 'true';
  atOnce.addEventListener('change', () => void remembered('at-once', String(atOnce.checked)));
  const toggleLanguage = () => setLanguage(currentLanguage() === 'ja' ? 'en' : 'ja');
  byId('language').addEventListener('click', toggleLanguage);
  new Keys([
    { key: 't', phrase: 'key_talk', down: () => talk.beginHold(), up: () => talk.endHold() },
    { key: 'l', phrase: 'key_live', down: () => talk.toggleLive() },
    { key: 'p', phrase: 'key_pause', down: togglePause },
    { key: 'n', phrase: 'key_skip', down: skip },
    { key: 's', phrase: 'key_stop', down: stopAll },
    { key: 'o', phrase: 'key_file', down: () => files.choose() },
    { key: '/', phrase: 'key_command', down: () => commandBox.focus() },
    { key: 'f', phrase: 'key_filter', down: () => log.focusFilter() },
    { key: 'j', phrase: 'key_language', down: toggleLanguage },
  ]);
  byId('say').addEventListener('submit', (event) => {
    event.preventDefault();
    attempt(say());
  });
}

async function say() {
  const input = /** @type {HTMLInputElement} */ (byId('say-text'));
  const text = input.value.trim();
  if (text === '') return;
  input.value = '';
  const label = text.replace(/\p{Cc}/gu, ' ').slice(0, 80);
  const query = new URLSearchParams({ label, when: atOnce.checked ? 'interrupt' : 'queue' });
  await ask('POST', agentPath(agentName(), `/say?${query}`), { body: text, type: 'text/plain' });
}

// ---- Events of the service -------------------------------------------------------------------------------------------

/** @type {ReturnType<typeof setTimeout> | undefined} */
let orderTimer;

/** @type {any} */
let lastEvent;

/** @param {any} event */
function onEvent(event) {
  const nowMs = performance.now();
  model.apply(event, nowMs);
  // A gap is reported twice: by its event, and by a warning right after it.
  const told = event.type === 'warning' && lastEvent?.type === 'gap' && lastEvent.speech === event.speech;
  lastEvent = event;
  const line = told
    ? undefined
    : lineOf(
        event,
        (name, id) => model.agents.get(name)?.speeches.find((speech) => speech.id === id)?.label ?? id,
      );
  if (line) log.add(line);
  if (event.type === 'snapshot') void learn();
  if (event.type === 'accepted' || event.type === 'ended') askForOrder(event.agent);
  if (event.type === 'accepted') void foresee(event);
  if (event.type === 'ended' && event.how === 'failed' && event.agent === selected)
    notices.failed(event.error, event.label);
  if (event.type === 'lost') announce(t('avatarDied', event));
  choose();
  render();
}

/** Uses the outline of a file that this page sends, before the service sends one. @param {any} event */
async function foresee(event) {
  const outline = await files.accepted(event);
  if (!outline) return;
  model.foresee(event.agent, event.speech, outline);
  render();
}

/** Requests the order of a queue, which priorities and interruptions change. @param {string} name */
function askForOrder(name) {
  if (name !== selected) return;
  orderTimer ??= setTimeout(() => {
    orderTimer = undefined;
    if (link.state !== 'live' || agent() === undefined) return;
    ask('GET', agentPath(name)).then(
      (json) => {
        model.arrange(json);
        render();
      },
      // A temporary name is forgotten again; the next snapshot shows it.
      () => undefined,
    );
  }, ORDER_AFTER_MS);
}

/** Requests the service's properties at each new connection, since it may be another service by now. */
async function learn() {
  try {
    const about = await ask('GET', '/api');
    // With a token, this page could be loaded only with its cookie.
    byId('sign-out').hidden = !about.token;
    directory = about.path + (about.agentToken ? '?token=…' : '');
    if (version !== undefined && version !== about.version) {
      const action = { text: t('reload'), run: () => location.reload() };
      notices.show('version', { level: 'info', text: t('newVersion'), action });
    }
    version ??= about.version;
    const { paths } = await ask('GET', '/api/openapi.json');
    byId('say').hidden = paths['/api/agents/{name}/say'] === undefined;
    await commandBox.load();
    render();
  } catch (error) {
    notices.failed(error);
  }
}

/** @param {import('./events.js').Link} next */
function onLink(next) {
  // During a retry the reason of the last failure stays visible.
  link = next;
  if (next.state === 'live') notices.clear('link');
  showLink();
  render();
}

function showLink() {
  const phrases = {
    connecting: 'linkConnecting',
    live: 'linkLive',
    asleep: 'linkAsleep',
    waiting: 'linkWaiting',
  };
  setAttribute(byId('link'), 'class', `link ${link.state}`);
  setText(byId('link-text'), t(phrases[link.state]));
  setAttribute(document.documentElement, 'data-link', link.state);
  if (link.state !== 'waiting') return;
  const { problem, closed, retryAtMs } = link;
  const seconds = Math.max(0, Math.ceil((retryAtMs - performance.now()) / 1000));
  const refused = problem.status >= 400;
  const login = problem.status === 401;
  const { what, advice, original } = explain(problem);
  notices.show('link', {
    level: 'danger',
    text: t(refused ? 'serviceRefused' : closed ? 'serviceEnded' : 'serviceUnreachable'),
    ...(refused && { detail: `${what} ${advice}`, original }),
    countdown: t('retryIn', { seconds }),
    action: login
      ? { text: t('signIn'), run: () => location.reload() }
      : { text: t('retryNow'), run: () => feed.connect() },
    lasting: true,
  });
}

// ---- View ------------------------------------------------------------------------------------------------------------

/** Selects another agent when the current one is gone or none was chosen. */
function choose() {
  if (model.agents.has(selected)) return;
  const names = [...model.agents.keys()];
  const there = names.find((name) => model.agents.get(name)?.state !== 'absent');
  select(there ?? names[0] ?? '');
}

/** @param {string} name */
function select(name) {
  if (name === selected) return;
  const before = agent();
  // An absent agent without speeches is forgotten once it is no longer selected.
  if (before?.state === 'absent' && before.speeches.length === 0) model.forget(before.name);
  selected = name;
  log.showAgent(name);
  render();
}

let tabsShown = '';

function renderAgents() {
  const views = [...model.agents.values()];
  const key = JSON.stringify([
    selected,
    currentLanguage(),
    views.map((view) => [view.name, stateWord(view)]),
  ]);
  if (key === tabsShown) return;
  tabsShown = key;
  const tabs = byId('agents');
  const focused = tabs.contains(document.activeElement);
  tabs.replaceChildren(
    ...views.map((view) =>
      el(
        'button',
        {
          type: 'button',
          role: 'tab',
          'aria-selected': String(view.name === selected),
          'aria-controls': 'stage',
          tabindex: view.name === selected ? '0' : '-1',
          class: stateWord(view),
          title: t(stateWord(view)),
          click: () => select(view.name),
        },
        el('span', { class: 'dot', 'aria-hidden': 'true' }),
        view.name,
      ),
    ),
  );
  if (focused) /** @type {HTMLElement | null} */ (tabs.querySelector('[aria-selected=true]'))?.focus();
}

function bindTabs() {
  byId('agents').addEventListener('keydown', (event) => {
    const names = [...model.agents.keys()];
    const at = names.indexOf(selected);
    /** @type {Record<string, number>} */
    const moves = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 };
    const to = moves[event.key];
    if (to === undefined || names.length === 0) return;
    event.preventDefault();
    select(names[(to + names.length) % names.length] ?? '');
  });
}

function renderNotices() {
  const view = agent();
  const show = (
    /** @type {string} */ id,
    /** @type {boolean} */ on,
    /** @type {() => import('./notices.js').Notice} */ of,
  ) => (on ? notices.show(id, of()) : notices.clear(id));
  const live = link.state === 'live';
  show('lost', live && view?.state === 'absent' && view.lost !== null, () => ({
    level: 'danger',
    text: t('avatarDied', { agent: view?.name ?? '' }),
    detail: explain(view?.lost).advice,
    lasting: true,
  }));
  show('not-ready', live && view?.notReady !== null && view?.notReady !== undefined, () => {
    const { what, advice, original } = explain(view?.notReady);
    return {
      ...{ level: 'warn', text: t('avatarNotReady', { agent: view?.name ?? '' }) },
      ...{ detail: `${what} ${advice}`, original, lasting: true },
    };
  });
  show('stalled', live && view?.stalled === true, () => ({
    level: 'warn',
    text: t('avatarStalled', { agent: view?.name ?? '' }),
    lasting: true,
  }));
}

const mdfLines = () =>
  [
    `Plugin_Remote_Websocket_Host=${location.hostname}`,
    `Plugin_Remote_Websocket_Port=${location.port || (location.protocol === 'https:' ? '443' : '80')}`,
    `Plugin_Remote_Websocket_Directory=${directory}`,
    'Plugin_Remote_RetryCount=100000',
  ].join('\n');

let moving = false;

/** Updates the animated parts for as long as something changes. */
function move() {
  moving = agent()?.speaking ?? false;
  stage.move(agent(), performance.now());
  if (moving) requestAnimationFrame(move);
}

const render = withNextFrame(() => {
  renderAgents();
  renderNotices();
  stage.render(agent(), mdfLines(), link.state !== 'waiting');
  stage.move(agent(), performance.now());
  queue.render(agent(), files.uploads);
  const view = agent();
  const known = view ? `${view.name}: ${t(stateWord(view))}` : t('noAvatar');
  document.title = `${link.state === 'waiting' ? t('linkWaiting') : known} · mmdagent-bridge`;
  if (view?.speaking && !moving) {
    moving = true;
    requestAnimationFrame(move);
  }
});

const feed = new EventFeed({ onEvent, onLink });
feed.mayRest = () => !talk.active && files.uploads.length === 0;

translatePage();
bindButtons();
bindTabs();
const showLanguage = () => setText(byId('language'), currentLanguage() === 'ja' ? 'English' : '日本語');
onLanguage(() => {
  showLanguage();
  showLink();
  render();
});
showLanguage();
followColours(() => {
  stage.repaint();
  render();
});
new ResizeObserver(() => render()).observe(byId('wave'));
setInterval(() => {
  const nowMs = performance.now();
  meters.read(agent(), nowMs);
  if (document.visibilityState === 'visible') meters.draw(agent(), nowMs);
  if (link.state === 'waiting') showLink();
}, EVERY_MS);
feed.connect();
