import { alias, file, name, number, phonemes, rest } from './parameters.js';
import { command } from './shape.js';

/** Sound files of the avatar's machine, without lips. */
export const soundRows = {
  start: command('SOUND_START', {
    args: [alias(), file()],
    answer: ['SOUND_EVENT_START', 'alias'],
    en: "Plays a sound file of the avatar's machine",
    ja: 'アバター側の音声ファイルを再生する',
  }),
  stop: command('SOUND_STOP', {
    args: [alias()],
    answer: ['SOUND_EVENT_STOP', 'alias'],
    en: 'Ends a sound file',
    ja: '音声ファイルの再生を止める',
  }),
};

/** Sound files of the avatar's machine, with lips. A file that is absent hangs the avatar (protocol.md §7). */
export const speakRows = {
  start: command('SPEAK_START', {
    args: [alias(), file()],
    answer: ['SPEAK_EVENT_START', 'alias'],
    en: "Speaks a file of the avatar's machine; one that is absent hangs the avatar for good",
    ja: 'アバター側のファイルを喋らせる(無いファイルだと固まって戻らない)',
  }),
  stop: command('SPEAK_STOP', {
    args: [alias()],
    answer: ['SPEAK_EVENT_STOP', 'alias'],
    en: 'Ends a file that is spoken',
    ja: 'ファイルの発話を止める',
  }),
};

/** Lips without sound (protocol.md §7). */
export const lipSyncRows = {
  start: command('LIPSYNC_START', {
    args: [alias(), phonemes('phonemes')],
    answer: ['LIPSYNC_EVENT_START', 'alias'],
    en: 'Moves the lips: phonemes with milliseconds; end with pau',
    ja: '口だけを動かす(音素とミリ秒の列、最後はpau)',
  }),
  stop: command('LIPSYNC_STOP', {
    args: [alias()],
    answer: ['LIPSYNC_EVENT_STOP', 'alias'],
    en: 'Ends the movement of the lips; they may stay half-open',
    ja: '口の動きを止める(半開きのままになることがある)',
  }),
};

/** The avatar's own speech synthesis. */
export const synthRows = {
  start: command('SYNTH_START', {
    args: [alias(), name('voice'), rest('text')],
    answer: ['SYNTH_EVENT_START', 'alias'],
    en: "Speaks a text with the avatar's own synthesis",
    ja: 'アバター側の音声合成で喋らせる',
  }),
  stop: command('SYNTH_STOP', {
    args: [alias()],
    answer: ['SYNTH_EVENT_STOP', 'alias'],
    en: 'Ends synthesised speech',
    ja: '音声合成の発話を止める',
  }),
};

/** The avatar's own speech recognition. */
export const recogRows = {
  result: command('RECOG_EVENT_STOP', {
    args: [rest('text')],
    en: 'Hands a recognised text to the content, as if the avatar had heard it',
    ja: '認識結果をコンテンツに渡す(聞き取ったことにする)',
  }),
  gain: command('RECOG_MODIFY|GAIN', {
    args: [number('scale', { min: 0 })],
    answer: ['RECOG_EVENT_MODIFY|GAIN'],
    en: 'Scales what the microphone hears',
    ja: 'マイク入力の倍率を変える',
  }),
  setUserDictionary: command('RECOG_MODIFY|USERDICT_SET', {
    args: [file()],
    answer: ['RECOG_EVENT_MODIFY|USERDICT_SET'],
    en: 'Loads a user dictionary',
    ja: 'ユーザー辞書を読み込む',
  }),
  unsetUserDictionary: command('RECOG_MODIFY|USERDICT_UNSET', {
    answer: ['RECOG_EVENT_MODIFY|USERDICT_UNSET'],
    en: 'Drops the user dictionary',
    ja: 'ユーザー辞書を外す',
  }),
  changeConfig: command('RECOG_MODIFY|CHANGE_CONF', {
    args: [file('prefix')],
    answer: ['RECOG_EVENT_MODIFY|CHANGE_CONF', 'prefix'],
    en: 'Starts recognition again with another configuration',
    ja: '別の設定で音声認識を始め直す',
  }),
  recordStart: command('RECOG_RECORD_START', {
    args: [file('folder')],
    en: 'Records what is heard into files of a folder',
    ja: '聞こえた音声をフォルダに記録し始める',
  }),
  recordStop: command('RECOG_RECORD_STOP', {
    en: 'Ends that recording',
    ja: '音声の記録を終える',
  }),
};
