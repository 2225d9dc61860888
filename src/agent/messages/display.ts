import {
  alias,
  choice,
  edge,
  file,
  flag,
  items,
  name,
  names,
  number,
  pair,
  position,
  rest,
  rgba,
  rotation,
  shownText,
  text,
  triple,
} from './parameters.js';
import { command } from './shape.js';

/** Text and pictures as boards in the scene. */
export const textAreaRows = {
  add: command('TEXTAREA_ADD', {
    args: [
      alias(),
      pair('size', 'width,height'),
      triple('layout', 'textSize,margin,lineSpace'),
      rgba('background'),
      rgba('color'),
      position('position'),
    ],
    options: [rotation('rotation'), alias('parent'), name('parentBone')],
    answer: ['TEXTAREA_EVENT_ADD', 'alias'],
    en: 'Puts up a board; a width or height of 0 fits the content',
    ja: '文字や画像の板を置く(幅と高さは0で内容に合わせる)',
  }),
  set: command('TEXTAREA_SET', {
    args: [alias(), shownText('content')],
    answer: ['TEXTAREA_EVENT_SET', 'alias'],
    en: 'Shows text, or a picture by its file, on a board',
    ja: '板に文字または画像ファイルを表示する',
  }),
  delete: command('TEXTAREA_DELETE', {
    args: [alias()],
    answer: ['TEXTAREA_EVENT_DELETE', 'alias'],
    en: 'Takes a board away',
    ja: '板を消す',
  }),
};

/** Text on the screen. */
export const captionRows = {
  style: command('CAPTION_SETSTYLE', {
    args: [alias(), file('font'), rgba('color')],
    answer: ['CAPTION_EVENT_SETSTYLE', 'alias'],
    en: "Defines a style; the font 'default' is the avatar's own",
    ja: 'スタイルを定義する(フォントはdefaultで標準)',
  }),
  styleWithEdges: command('CAPTION_SETSTYLE', {
    args: [alias(), file('font'), rgba('color'), edge('edge'), edge('outerEdge'), rgba('background')],
    answer: ['CAPTION_EVENT_SETSTYLE', 'alias'],
    en: 'Defines a style with two outlines and a background',
    ja: '縁取り2つと背景つきのスタイルを定義する',
  }),
  start: command('CAPTION_START', {
    args: [
      alias(),
      name('style'),
      shownText(),
      number('size', { min: 0 }),
      choice('align', 'CENTER', 'LEFT', 'RIGHT'),
      number('height', { min: 0, max: 1 }),
      number('durationFrames', { min: 0 }),
    ],
    answer: ['CAPTION_EVENT_START', 'alias'],
    en: 'Shows a caption, or the captions of an .lrc file; 30 frames are a second',
    ja: 'テロップを出す(.lrcも可、30フレームで1秒)',
  }),
  stop: command('CAPTION_STOP', {
    args: [alias()],
    answer: ['CAPTION_EVENT_STOP', 'alias'],
    en: 'Takes a caption away',
    ja: 'テロップを消す',
  }),
};

/** Questions and notices for the person in front of the screen. */
export const promptRows = {
  show: command('PROMPT_SHOW', {
    // The avatar takes 10 arguments at most (protocol.md §3): the question and nine items.
    args: [shownText('question'), items('items', { min: 1, max: 9 })],
    answer: ['PROMPT_EVENT_SELECTED'],
    en: 'Asks, with items to choose from; the answer is the number of the item, or -1',
    ja: '質問と選択肢を出す(答えは選択肢の番号、取り消しは-1)',
  }),
  notify: command('NOTIFY_SHOW', {
    args: [shownText()],
    options: [number('seconds', { min: 0, fallback: 2 })],
    en: 'Shows a notice for a short time',
    ja: 'お知らせを短い間出す',
  }),
};

const infoOptions = [
  number('scale', { min: 0, fallback: 1 }),
  text('backgroundHex'),
  text('colorHex'),
] as const;

/** A document over the whole screen, closed by one of its buttons. */
export const infoTextRows = {
  file: command('INFOTEXT_FILE', {
    args: [file(), shownText('title'), names('buttons', { max: 10 })],
    options: infoOptions,
    answer: ['INFOTEXT_EVENT_CLOSE'],
    en: 'Shows a text file over the whole screen; the answer is the button that closes it',
    ja: 'テキストファイルを全画面に出す(答えは押されたボタン)',
  }),
  string: command('INFOTEXT_STRING', {
    args: [shownText(), shownText('title'), names('buttons', { max: 10 })],
    options: infoOptions,
    answer: ['INFOTEXT_EVENT_CLOSE'],
    en: 'Shows a text over the whole screen; the answer is the button that closes it',
    ja: '文章を全画面に出す(答えは押されたボタン)',
  }),
};

/** Buttons on the screen. */
export const buttonRows = {
  add: command('BUTTON_ADD', {
    args: [
      alias(),
      number('scale', { min: 0 }),
      pair('place', 'x,y'),
      file('image'),
      text('action'),
      flag('autoClose', true),
    ],
    answer: ['BUTTON_EVENT_ADD', 'alias'],
    en: 'Adds a button; its action is message,TYPE or setkeyvalue,… or play,… or open,…',
    ja: 'ボタンを置く(動作は message,TYPE などの形)',
  }),
  delete: command('BUTTON_DELETE', {
    args: [alias()],
    answer: ['BUTTON_EVENT_DELETE', 'alias'],
    en: 'Removes a button',
    ja: 'ボタンを消す',
  }),
};

const menuItem = number('item', { min: 0, max: 29, integer: true });

/** Pages of the menu. */
export const menuRows = {
  add: command('MENU|ADD', {
    args: [alias()],
    options: [file('background')],
    answer: ['MENU_EVENT|ADD', 'alias'],
    en: 'Adds a page to the menu',
    ja: 'メニューにページを加える',
  }),
  setItem: command('MENU|SETITEM', {
    args: [alias(), menuItem, text('label'), rest('message', 'command')],
    answer: ['MENU_EVENT|SETITEM', 'alias', 'item'],
    en: 'Sets an item of a page: its label, and the message it issues',
    ja: 'メニュー項目を設定する(表示名と発行するメッセージ)',
  }),
  deleteItem: command('MENU|DELETEITEM', {
    args: [alias(), menuItem],
    answer: ['MENU_EVENT|DELETEITEM', 'alias', 'item'],
    en: 'Removes an item of a page',
    ja: 'メニュー項目を消す',
  }),
  delete: command('MENU|DELETE', {
    args: [alias()],
    answer: ['MENU_EVENT|DELETE', 'alias'],
    en: 'Removes a page of the menu',
    ja: 'メニューのページを消す',
  }),
};
