/** Types that need an explicit permission, with what each can do (protocol.md §3 and §7). */
const DANGEROUS_TYPES: ReadonlyMap<string, string> = new Map([
  ['EXECUTE', 'runs a program on the avatar’s machine'],
  ['KEY_POST', 'presses keys in other programs on the avatar’s machine'],
  ['NETWORK_GET', 'fetches a file onto the avatar’s machine'],
  ['REMOTE_TRANSFILE', 'stores a file on the avatar’s machine'],
  ['OPEN_CONTENT', 'replaces the content that the avatar runs, and with it this connection'],
  ['SPEAK_START', 'hangs the avatar for good when the file does not exist on its machine'],
  ['AVATAR_LOGSAVE_START', 'overwrites any file on the avatar’s machine'],
  ['MOTIONCAPTURE_START', 'overwrites any file on the avatar’s machine'],
  ['RECOG_RECORD_START', 'records the microphone of the avatar’s machine to files'],
  ['LOG_UPLOAD', 'sends the avatar’s logs to another machine'],
]);

/** Key whose value the avatar gives to its operating system to open. */
const OPENED_KEY = '_RequestedURL';

/** Types that replace a model in place. */
const MODEL_CHANGE = /^MODEL_CHANGE(?:_ASYNC)?$/;

const BUTTON_ACTION = /^(?:open|play|message|setkeyvalue),/;

/**
 * Returns why a command needs a permission, or undefined when it does not. Also checks commands inside other commands:
 * `__AV_MESSAGE,…`, the action of a menu item and of a button.
 * @param line a command line without its newline
 * @param boundModels aliases of models whose lips are or will be bound
 * @returns the end of a sentence that begins with the command: `runs a program on the avatar’s machine`
 */
export function dangerOf(line: string, boundModels: readonly string[] = []): string | undefined {
  const trimmed = line.trim();
  if (trimmed.startsWith('__AV_MESSAGE,'))
    return dangerOf(trimmed.slice('__AV_MESSAGE,'.length), boundModels);
  // The avatar's own split drops empty fields, so `MENU||SETITEM` is still MENU|SETITEM to it.
  const [type = '', ...args] = trimmed
    .split('|')
    .filter((field) => field !== '')
    .map((field) => field.trim());
  if (MODEL_CHANGE.test(type) && boundModels.includes(args[0] ?? '')) {
    return 'can end the avatar, whose lips are bound to that model. Use agent.replaceModel(), or send MODEL_DELETE, wait for MODEL_EVENT_DELETE, and send MODEL_ADD';
  }
  const known = DANGEROUS_TYPES.get(type);
  if (known !== undefined) return known;
  if (type.startsWith('PLUGIN_') && !type.startsWith('PLUGIN_EVENT_')) {
    return 'switches a part of the avatar on or off; without its Remote plugin it loses this connection';
  }
  if (type === 'KEYVALUE_SET' && args[0] === OPENED_KEY) {
    return 'opens a file, a program or an address on the avatar’s machine';
  }
  if (type === 'MENU' && args[0] === 'SETITEM') return carried(args.slice(4).join('|'), boundModels);
  if (type === 'BUTTON_ADD') return dangerOfAction(args[4] ?? '', boundModels);
  return undefined;
}

function dangerOfAction(action: string, boundModels: readonly string[]): string | undefined {
  const kind = BUTTON_ACTION.exec(action)?.[0];
  if (kind === undefined) return undefined;
  const payload = action.slice(kind.length);
  if (kind === 'open,') return 'opens an address on the avatar’s machine when it is pressed';
  if (kind === 'play,') return carried('OPEN_CONTENT');
  if (kind === 'message,') return carried(payload, boundModels);
  return payload.includes(OPENED_KEY) ? carried(`KEYVALUE_SET|${OPENED_KEY}`) : undefined;
}

function carried(line: string, boundModels: readonly string[] = []): string | undefined {
  const danger = dangerOf(line, boundModels);
  return danger === undefined ? undefined : `carries ${line.split('|')[0] ?? ''}, which ${danger}`;
}
