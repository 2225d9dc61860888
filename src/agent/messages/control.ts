import { alias, choice, file, flag, name, number, rates, rest, text } from './parameters.js';
import { command } from './shape.js';

/** External control: the wire's own commands (protocol.md §3), and the command that pauses it. */
export const avatarRows = {
  start: command('__AV_START', {
    answer: ['AVATAR|START'],
    en: 'External control on',
    ja: '外部操作を始める',
  }),
  end: command('__AV_END', {
    answer: ['AVATAR|END'],
    en: 'External control off',
    ja: '外部操作を終える',
  }),
  setModel: command('__AV_SETMODEL', {
    args: [alias()],
    en: 'Says whose lips move; once per connection and model',
    ja: '口を動かすモデルを決める(接続とモデルごとに1度だけ)',
  }),
  morphs: command('__AV_EXMORPH', {
    args: [rates('rates')],
    en: 'Sets morphs, each from 0 to 1',
    ja: 'モーフを0から1の値で動かす',
  }),
  action: command('__AV_ACTION', {
    args: [number('action', { min: 0, integer: true })],
    en: 'Starts an action motion of the model',
    ja: 'モデルのアクションモーションを始める',
  }),
  autoLipOff: command('__AVCONF_DISABLEAUTOLIP', {
    args: [choice('when', 'NO', 'ARKIT', 'AU', 'ARKIT+AU', 'ALWAYS')],
    en: 'Says when the lips stop following the sound',
    ja: '自動リップシンクを止める条件を決める',
  }),
  message: command('__AV_MESSAGE', {
    args: [rest('message', 'command')],
    en: 'Issues what follows as a message',
    ja: '続きをメッセージとして発行する',
  }),
  enable: command('AVATAR_CONTROL|ENABLE', {
    answer: ['AVATAR_EVENT_CONTROL|ENABLED'],
    en: 'External control goes on',
    ja: '外部操作を再開する',
  }),
  disable: command('AVATAR_CONTROL|DISABLE', {
    // Measured: AVATAR|END comes back, where the public list has AVATAR_EVENT_CONTROL (protocol.md §8).
    answer: ['AVATAR|END'],
    en: 'External control pauses',
    ja: '外部操作を一時止める',
  }),
  logStart: command('AVATAR_LOGSAVE_START', {
    args: [file()],
    en: 'Writes all that is received into a file',
    ja: '受け取ったものをすべてファイルに書き始める',
  }),
  logStop: command('AVATAR_LOGSAVE_STOP', {
    en: 'Ends that file',
    ja: '受信記録を終える',
  }),
};

/** Variables of the content. */
export const valueRows = {
  set: command('VALUE_SET', {
    args: [alias(), text('value')],
    answer: ['VALUE_EVENT_SET', 'alias'],
    en: 'Sets a variable',
    ja: '変数に値を入れる',
  }),
  setRandom: command('VALUE_SET', {
    args: [alias(), number('min'), number('max')],
    answer: ['VALUE_EVENT_SET', 'alias'],
    en: 'Sets a variable to a random number',
    ja: '変数に乱数を入れる',
  }),
  get: command('VALUE_GET', {
    args: [alias()],
    answer: ['VALUE_EVENT_GET', 'alias'],
    en: 'Asks for a variable',
    ja: '変数の値を尋ねる',
  }),
  unset: command('VALUE_UNSET', {
    args: [alias()],
    answer: ['VALUE_EVENT_UNSET', 'alias'],
    en: 'Removes a variable',
    ja: '変数を消す',
  }),
  evaluate: command('VALUE_EVAL', {
    args: [alias(), choice('operator', 'EQ', 'NE', 'LE', 'LT', 'GE', 'GT'), text('value')],
    answer: ['VALUE_EVENT_EVAL', 'alias', 'operator', 'value'],
    en: 'Compares a variable with a value',
    ja: '変数を値と比べる',
  }),
};

/** Countdowns. */
export const timerRows = {
  start: command('TIMER_START', {
    args: [alias(), number('seconds', { min: 0 })],
    answer: ['TIMER_EVENT_START', 'alias'],
    en: 'Starts a countdown, in steps of 0.1 s',
    ja: 'タイマーを始める(0.1秒単位)',
  }),
  stop: command('TIMER_STOP', {
    args: [alias()],
    answer: ['TIMER_EVENT_STOP', 'alias'],
    en: 'Ends a countdown as if its time were up',
    ja: 'タイマーを時間切れとして終える',
  }),
  cancel: command('TIMER_CANCEL', {
    args: [alias()],
    answer: ['TIMER_EVENT_CANCELLED', 'alias'],
    en: 'Drops a countdown',
    ja: 'タイマーを取り消す',
  }),
};

/** Key values: settings, and values that bones and morphs can follow. */
export const keyValueRows = {
  set: command('KEYVALUE_SET', {
    args: [name('key'), text('value')],
    en: 'Sets a key value',
    ja: 'キー値を設定する',
  }),
};

/** Dialogue scripts. */
export const scriptRows = {
  load: command('FST_LOAD', {
    args: [file()],
    options: [name('state')],
    en: 'Runs another dialogue script in place of the running one',
    ja: '実行中の対話スクリプトを入れ替える',
  }),
  start: command('SUBFST_START', {
    args: [alias(), file()],
    answer: ['SUBFST_EVENT_START', 'alias'],
    en: 'Runs a dialogue script beside the main one',
    ja: '対話スクリプトを並行して始める',
  }),
  startIfThere: command('SUBFST_START_IF', {
    args: [alias(), file()],
    answer: ['SUBFST_EVENT_START', 'alias'],
    en: 'The same, when the file exists',
    ja: 'ファイルがあれば対話スクリプトを並行して始める',
  }),
  stop: command('SUBFST_STOP', {
    args: [alias()],
    answer: ['SUBFST_EVENT_STOP', 'alias'],
    en: 'Ends such a script',
    ja: '並行する対話スクリプトを終える',
  }),
};

/** The content as a whole, and the program's parts. */
export const contentRows = {
  open: command('OPEN_CONTENT', {
    args: [file()],
    en: 'Ends this content and opens another',
    ja: '別のコンテンツに切り替える',
  }),
  setHome: command('HOME_SET', { en: 'Makes this content the home', ja: '今のコンテンツをホームにする' }),
  clearHome: command('HOME_CLEAR', { en: 'Forgets the home', ja: 'ホームの設定を消す' }),
  logStart: command('LOG_START', { en: 'Starts the log file', ja: 'ログの保存を始める' }),
  logFinish: command('LOG_FINISH', { en: 'Ends the log file', ja: 'ログの保存を終える' }),
  logUpload: command('LOG_UPLOAD', { en: 'Sends the logs away', ja: 'ログを送信する' }),
  enablePlugin: command('PLUGIN_ENABLE', {
    args: [name('plugin')],
    answer: ['PLUGIN_EVENT_ENABLE', 'plugin'],
    en: 'Switches a plugin on',
    ja: 'プラグインを有効にする',
  }),
  disablePlugin: command('PLUGIN_DISABLE', {
    args: [name('plugin')],
    answer: ['PLUGIN_EVENT_DISABLE', 'plugin'],
    en: 'Switches a plugin off; without Remote the avatar is lost',
    ja: 'プラグインを無効にする(Remoteを切るとアバターを失う)',
  }),
};

/** The avatar's machine and its network. */
export const machineRows = {
  execute: command('EXECUTE', {
    args: [rest('program')],
    en: 'Runs a program or opens a file (Windows)',
    ja: 'プログラムやファイルを開く(Windows)',
  }),
  postKey: command('KEY_POST', {
    args: [name('windowClass'), name('key'), flag('shift', false), flag('ctrl', false), flag('alt', false)],
    en: 'Presses a key in another program (Windows)',
    ja: '別のプログラムにキーを送る(Windows)',
  }),
  fetch: command('NETWORK_GET', {
    args: [alias(), text('url'), file()],
    answer: ['NETWORK_EVENT_GET', 'alias'],
    en: 'Fetches a file from the network',
    ja: 'ネットワークからファイルを取得する',
  }),
  receiveFile: command('REMOTE_TRANSFILE', {
    args: [file()],
    answer: ['REMOTE_TRANSFILE_PREPARED'],
    en: 'Prepares to receive a file (special builds only)',
    ja: 'ファイルの受信を準備する(特別なビルドのみ)',
  }),
  publish: command('RABBITMQ_SEND', {
    args: [rest('text')],
    en: 'Sends a text to the message broker',
    ja: 'メッセージブローカーに送る',
  }),
};

/** Keys pressed in the avatar's window from here. */
export const keyRows = {
  char: command('REMOTEKEY_CHAR', {
    args: [text('character')],
    en: "Types a character in the avatar's window",
    ja: 'アバターのウィンドウで文字を打つ',
  }),
  down: command('REMOTEKEY_DOWN', {
    args: [name('key')],
    en: "Presses a key in the avatar's window",
    ja: 'アバターのウィンドウでキーを押す',
  }),
  up: command('REMOTEKEY_UP', {
    args: [name('key')],
    en: "Lets go of a key in the avatar's window",
    ja: 'アバターのウィンドウでキーを離す',
  }),
};
