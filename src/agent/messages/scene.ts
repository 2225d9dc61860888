import { alias, choice, file, name, names, number, position, rgb, rotation, triple } from './parameters.js';
import { command } from './shape.js';

/** The viewpoint. */
export const cameraRows = {
  set: command('CAMERA', {
    args: [
      position('position'),
      rotation('rotation'),
      number('distance'),
      number('fovyDegrees', { min: 0, max: 180 }),
    ],
    options: [number('durationSeconds', { min: -1, fallback: -1 }), alias('model'), name('bone')],
    en: 'Moves the camera; a duration of -1 glides, 0 jumps; with a model it follows it',
    ja: 'カメラを動かす(時間は-1で滑らか、0で即時、モデルを指定すると追従)',
  }),
  motion: command('CAMERA', {
    args: [file()],
    en: 'Plays a camera motion',
    ja: 'カメラモーションを再生する',
  }),
};

/** Background and floor. */
export const stageRows = {
  images: command('STAGE', {
    args: [names('floorAndBack', { min: 2, max: 2 })],
    en: 'Sets the pictures of floor and background',
    ja: '床と背景の画像を変える',
  }),
  model: command('STAGE', {
    args: [file()],
    en: 'Sets a 3D stage',
    ja: '3Dステージを変える',
  }),
};

/** The light. */
export const lightRows = {
  direction: command('LIGHTDIRECTION', {
    args: [triple('direction', 'x,y,z')],
    en: 'Sets where the light comes from',
    ja: '光の向きを変える',
  }),
  color: command('LIGHTCOLOR', {
    args: [rgb('color')],
    en: 'Sets the colour of the light',
    ja: '光の色を変える',
  }),
};

/** Pictures laid over the whole window. */
export const frameRows = {
  set: command('WINDOWFRAME', {
    args: [file()],
    en: 'Lays a frame picture over the window',
    ja: 'フレーム画像を画面に重ねる',
  }),
  add: command('WINDOWFRAME_ADD', {
    args: [alias(), file()],
    answer: ['WINDOWFRAME_EVENT_ADD', 'alias'],
    en: 'Adds or replaces a frame picture',
    ja: 'フレーム画像を追加または差し替える',
  }),
  delete: command('WINDOWFRAME_DELETE', {
    args: [alias()],
    answer: ['WINDOWFRAME_EVENT_DELETE', 'alias'],
    en: 'Removes a frame picture',
    ja: 'フレーム画像を消す',
  }),
  deleteAll: command('WINDOWFRAME_DELETEALL', {
    en: 'Removes all frame pictures',
    ja: 'フレーム画像をすべて消す',
  }),
};

/** Pictures laid over a part of the window. */
export const overlayRows = {
  add: command('WINDOWOVERLAY_ADD', {
    args: [
      alias(),
      file(),
      number('widthRate', { min: 0 }),
      number('heightRate', { min: 0 }),
      choice('corner', 'TOP_LEFT', 'TOP_RIGHT', 'BOTTOM_LEFT', 'BOTTOM_RIGHT', 'CENTER'),
      number('paddingRate'),
    ],
    answer: ['WINDOWOVERLAY_EVENT_ADD', 'alias'],
    en: 'Adds or replaces a picture in a corner of the window',
    ja: '画面の隅の画像を追加または差し替える',
  }),
  delete: command('WINDOWOVERLAY_DELETE', {
    args: [alias()],
    answer: ['WINDOWOVERLAY_EVENT_DELETE', 'alias'],
    en: 'Removes such a picture',
    ja: '画面の隅の画像を消す',
  }),
  deleteAll: command('WINDOWOVERLAY_DELETEALL', {
    en: 'Removes all such pictures',
    ja: '画面の隅の画像をすべて消す',
  }),
  hide: command('WINDOWOVERLAY_HIDE', {
    args: [alias()],
    answer: ['WINDOWOVERLAY_EVENT_HIDE', 'alias'],
    en: 'Hides such a picture',
    ja: '画面の隅の画像を隠す',
  }),
  show: command('WINDOWOVERLAY_SHOW', {
    args: [alias()],
    answer: ['WINDOWOVERLAY_EVENT_SHOW', 'alias'],
    en: 'Shows a hidden picture again',
    ja: '隠した画像をまた表示する',
  }),
};

/** The window itself, and the pictures sent of it. */
export const windowRows = {
  transparentStart: command('TRANSPARENT_START', {
    options: [rgb('color')],
    en: 'Makes the window transparent, or one colour of it',
    ja: 'ウィンドウを透過させる(色の指定もできる)',
  }),
  transparentStop: command('TRANSPARENT_STOP', {
    en: 'Makes the window opaque again',
    ja: 'ウィンドウの透過をやめる',
  }),
  encodeStart: command('SCREENENCODE_START', {
    args: [
      number('camera', { min: -1, integer: true }),
      number('bitrate', { min: 0 }),
      number('fps', { min: 0 }),
      number('width', { min: 0, integer: true }),
      number('height', { min: 0, integer: true }),
      number('zoom', { min: 0 }),
    ],
    answer: ['SCREENENCODE_EVENT_START'],
    en: 'Starts sending pictures of the screen and a camera (special builds only)',
    ja: '画面とカメラの送信を始める(特別なビルドのみ)',
  }),
  encodeStop: command('SCREENENCODE_STOP', {
    answer: ['SCREENENCODE_EVENT_STOP'],
    en: 'Ends sending pictures',
    ja: '画面とカメラの送信を終える',
  }),
};
