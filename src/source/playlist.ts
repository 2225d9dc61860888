import { mediaType } from '../audio/content-type.js';

/** Maximum size of a playlist; a longer one does not name a single stream. */
export const MAX_PLAYLIST_BYTES = 65_536;

const TYPES = new Set([
  'audio/x-mpegurl',
  'audio/mpegurl',
  'application/x-mpegurl',
  'application/mpegurl',
  'application/vnd.apple.mpegurl',
  'audio/x-scpls',
  'application/pls+xml',
]);

/**
 * Returns true when a response is a playlist (M3U, PLS), which names sounds and contains none.
 * @param head its first bytes
 */
export function isPlaylist(contentType: string, head: Uint8Array): boolean {
  const text = Buffer.from(head)
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trimStart();
  return TYPES.has(mediaType(contentType)) || /^(?:#EXTM3U|\[playlist\])/i.test(text);
}

/**
 * Reads a playlist.
 * @returns the URLs or paths in it, or `hls` when its entries are segments of one stream
 */
export function readPlaylist(bytes: Uint8Array): string[] | 'hls' {
  const lines = Buffer.from(bytes)
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .split(/[\r\n]+/)
    .map((line) => line.trim());
  if (lines.some((line) => line.startsWith('#EXT-X-'))) return 'hls';
  if (lines.some((line) => /^\[playlist\]$/i.test(line)))
    return lines.flatMap((line) => /^File\d+\s*=\s*(.+)$/i.exec(line)?.[1] ?? []);
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}
