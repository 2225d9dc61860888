import { alias, choice, file, flag, name, names, number, position, rotation } from './parameters.js';
import { command } from './shape.js';

const LAYER_MODES = ['MODE_REPLACE', 'MODE_ADD', 'MODE_MUL'] as const;
const PART_MODES = [
  'MODE_BONE_REPLACE',
  'MODE_BONE_ADD',
  'MODE_BONE_NONE',
  'MODE_FACE_REPLACE',
  'MODE_FACE_ADD',
  'MODE_FACE_MUL',
  'MODE_FACE_NONE',
] as const;

/** 3D models, and single bones and morphs of theirs. */
export const modelRows = {
  add: command('MODEL_ADD', {
    args: [alias(), file()],
    options: [
      position('position'),
      rotation('rotation'),
      flag('toon', true),
      alias('parent'),
      name('parentBone'),
    ],
    answer: ['MODEL_EVENT_ADD', 'alias'],
    en: 'Loads a model into the scene',
    ja: 'モデルを読み込んで表示する',
  }),
  change: command('MODEL_CHANGE', {
    args: [alias(), file()],
    answer: ['MODEL_EVENT_CHANGE', 'alias'],
    en: 'Replaces a model; everything waits until it is loaded',
    ja: 'モデルを入れ替える(読み込みが終わるまで全体が止まる)',
  }),
  changeAsync: command('MODEL_CHANGE_ASYNC', {
    args: [alias(), file()],
    answer: ['MODEL_EVENT_CHANGE', 'alias'],
    en: 'Replaces a model, loading it in the background',
    ja: 'モデルを裏で読み込んで入れ替える',
  }),
  delete: command('MODEL_DELETE', {
    args: [alias()],
    answer: ['MODEL_EVENT_DELETE', 'alias'],
    en: 'Removes a model',
    ja: 'モデルを消す',
  }),
  bindBone: command('MODEL_BINDBONE', {
    args: [alias(), name('bone'), position('position'), rotation('rotation')],
    answer: ['MODEL_EVENT_BINDBONE', 'alias', 'bone'],
    en: 'Holds a bone at a place and rotation',
    ja: 'ボーンを指定の位置と回転に固定する',
  }),
  bindBoneToKey: command('MODEL_BINDBONE', {
    args: [
      name('key'),
      number('min'),
      number('max'),
      alias(),
      name('bone'),
      position('positionAtMin'),
      rotation('rotationAtMin'),
      position('positionAtMax'),
      rotation('rotationAtMax'),
    ],
    answer: ['MODEL_EVENT_BINDBONE', 'alias', 'bone'],
    en: 'Lets a bone follow a key value',
    ja: 'ボーンをキー値に連動させる',
  }),
  unbindBone: command('MODEL_UNBINDBONE', {
    args: [alias(), name('bone')],
    answer: ['MODEL_EVENT_UNBINDBONE', 'alias', 'bone'],
    en: 'Lets go of a bone',
    ja: 'ボーンの固定を解く',
  }),
  bindFace: command('MODEL_BINDFACE', {
    args: [alias(), name('morph'), number('rate')],
    options: [number('durationSeconds', { min: 0, fallback: 0 })],
    answer: ['MODEL_EVENT_BINDFACE', 'alias', 'morph'],
    en: 'Sets a morph, at once or over some time',
    ja: 'モーフの値を設定する(時間をかけることもできる)',
  }),
  bindFaceToKey: command('MODEL_BINDFACE', {
    args: [
      name('key'),
      number('min'),
      number('max'),
      alias(),
      name('morph'),
      number('rateAtMin'),
      number('rateAtMax'),
    ],
    answer: ['MODEL_EVENT_BINDFACE', 'key', 'alias', 'morph'],
    en: 'Lets a morph follow a key value',
    ja: 'モーフをキー値に連動させる',
  }),
  unbindFace: command('MODEL_UNBINDFACE', {
    args: [alias(), name('morph')],
    answer: ['MODEL_EVENT_UNBINDFACE', 'alias', 'morph'],
    en: 'Lets go of a morph',
    ja: 'モーフの設定を解く',
  }),
  textureSpeed: command('TEXTURE_SETANIMATIONRATE', {
    args: [alias(), file('texture'), number('rate', { min: 0 })],
    en: 'Sets the speed of an animated texture',
    ja: 'アニメーションテクスチャの速さを変える',
  }),
  skinningThreads: command('CONFIG_PARALLELSKINNING_THREADS', {
    args: [number('threads', { min: 1, max: 4, integer: true })],
    en: 'Sets how many threads move the skin',
    ja: 'スキニングに使うスレッドの数を変える',
  }),
};

/** Motions of a model, several at a time. */
export const motionRows = {
  add: command('MOTION_ADD', {
    args: [alias(), name('motion'), file()],
    options: [
      choice('range', 'FULL', 'PART'),
      choice('play', 'ONCE', 'LOOP'),
      flag('smooth', true),
      flag('reposition', false),
      number('priority', { fallback: 0 }),
    ],
    answer: ['MOTION_EVENT_ADD', 'alias', 'motion'],
    en: 'Starts a motion',
    ja: 'モーションを始める',
  }),
  change: command('MOTION_CHANGE', {
    args: [alias(), name('motion'), file()],
    answer: ['MOTION_EVENT_CHANGE', 'alias', 'motion'],
    en: 'Puts another motion in the place of a running one',
    ja: '再生中のモーションを差し替える',
  }),
  reset: command('MOTION_RESET', {
    args: [alias(), name('motion')],
    answer: ['MOTION_EVENT_RESET', 'alias', 'motion'],
    en: 'Starts a motion from its beginning again',
    ja: 'モーションを最初から再生し直す',
  }),
  delete: command('MOTION_DELETE', {
    args: [alias(), name('motion')],
    answer: ['MOTION_EVENT_DELETE', 'alias', 'motion'],
    en: 'Ends a motion',
    ja: 'モーションを終える',
  }),
  accelerate: command('MOTION_ACCELERATE', {
    args: [alias(), name('motion'), number('speed', { min: 0 })],
    options: [number('durationSeconds', { min: 0, fallback: 0 }), number('atSeconds')],
    answer: ['MOTION_EVENT_ACCELERATE', 'alias', 'motion'],
    en: 'Changes the speed of a motion; 1 is its own, 0 holds it',
    ja: 'モーションの速さを変える(1が等速、0で停止)',
  }),
  blend: command('MOTION_CONFIGURE', {
    args: [alias(), name('motion'), choice('mode', ...LAYER_MODES)],
    options: [number('rate')],
    answer: ['MOTION_EVENT_CONFIGURE', 'alias', 'motion'],
    en: 'Says how a motion is laid over the others',
    ja: 'モーションの重ね方を決める',
  }),
  blendRate: command('MOTION_CONFIGURE', {
    args: [alias(), name('motion'), choice('mode', 'BLEND_RATE'), number('rate')],
    answer: ['MOTION_EVENT_CONFIGURE', 'alias', 'motion'],
    en: 'Sets the blend rate of a motion',
    ja: 'モーションのブレンド率を決める',
  }),
  blendParts: command('MOTION_CONFIGURE', {
    args: [alias(), name('motion'), choice('mode', ...PART_MODES), names('parts')],
    answer: ['MOTION_EVENT_CONFIGURE', 'alias', 'motion'],
    en: 'Says how a motion is laid over the others, for some bones or morphs',
    ja: '一部のボーンやモーフについてモーションの重ね方を決める',
  }),
  captureStart: command('MOTIONCAPTURE_START', {
    args: [alias(), file()],
    en: 'Records the movements of a model into a file',
    ja: 'モデルの動きをファイルに記録し始める',
  }),
  captureStop: command('MOTIONCAPTURE_STOP', {
    args: [alias()],
    en: 'Ends the recording of movements',
    ja: 'モデルの動きの記録を終える',
  }),
};

const space = choice('space', 'GLOBAL', 'LOCAL');

/** Position and direction of a model. Each movement stops by itself at its target. */
export const moveRows = {
  start: command('MOVE_START', {
    args: [alias(), position('position')],
    options: [space, number('unitsPerSecond')],
    answer: ['MOVE_EVENT_START', 'alias'],
    en: 'Moves a model to a place',
    ja: 'モデルを移動させる',
  }),
  stop: command('MOVE_STOP', {
    args: [alias()],
    answer: ['MOVE_EVENT_STOP', 'alias'],
    en: 'Ends a movement',
    ja: '移動を止める',
  }),
};

/** Turns a model towards a place. */
export const turnRows = {
  start: command('TURN_START', {
    args: [alias(), position('position')],
    options: [space, number('degreesPerSecond')],
    answer: ['TURN_EVENT_START', 'alias'],
    en: 'Turns a model towards a place',
    ja: 'モデルを指定の位置に向かせる',
  }),
  stop: command('TURN_STOP', {
    args: [alias()],
    answer: ['TURN_EVENT_STOP', 'alias'],
    en: 'Ends a turn',
    ja: '向きの変更を止める',
  }),
};

/** Rotates a model by an amount. */
export const rotateRows = {
  start: command('ROTATE_START', {
    args: [alias(), rotation('rotation')],
    options: [space, number('degreesPerSecond')],
    answer: ['ROTATE_EVENT_START', 'alias'],
    en: 'Rotates a model',
    ja: 'モデルを回転させる',
  }),
  stop: command('ROTATE_STOP', {
    args: [alias()],
    answer: ['ROTATE_EVENT_STOP', 'alias'],
    en: 'Ends a rotation',
    ja: '回転を止める',
  }),
};
